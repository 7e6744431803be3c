'use strict';
document.addEventListener('DOMContentLoaded', () => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, text, attributes = {}) => {
    const node = document.createElement(tag);
    node.textContent = text;
    Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
    return node;
  };

  // A table whose heads sort its items, each one row or more; an item of a place of its own stays where it is, at the end.
  const sortable = (table, items) => {
    const body = table.tBodies[0];
    const value = (item, column) => {
      if (column === 0 && table.classList.contains('checks')) return item.place;
      const cell = item.row.cells[column];
      return 'value' in cell.dataset ? Number(cell.dataset.value || NaN) : cell.textContent.trim();
    };
    const compare = (one, other) => {
      if (typeof one === 'string') return one.localeCompare(other);
      return Number.isNaN(one) - Number.isNaN(other) || one - other;
    };
    const isLast = (item) => 'last' in item.row.dataset;
    const sort = (column, falling) => {
      const order = [...items].sort((one, other) => isLast(one) - isLast(other)
        || (isLast(one) ? 0 : (falling ? -1 : 1) * compare(value(one, column), value(other, column))) || one.place - other.place);
      order.forEach((item) => body.append(...item.rows));
    };
    all('thead th', table).forEach((head, column) => {
      if (!('sort' in head.dataset)) return;
      const button = make('button', head.firstChild.textContent, { type: 'button' });
      head.firstChild.replaceWith(button);
      button.addEventListener('click', () => {
        const falling = head.getAttribute('aria-sort') === 'ascending';
        all('th[aria-sort]', table).forEach((other) => other.removeAttribute('aria-sort'));
        head.setAttribute('aria-sort', falling ? 'descending' : 'ascending');
        sort(column, falling);
      });
    });
  };
  all('table.sorted').forEach((table) => {
    sortable(table, all('tbody tr', table).map((row, place) => ({ rows: [row], row, place })));
  });

  // Checks: each is two rows, which move and hide together.
  const table = document.querySelector('table.checks');
  if (table) {
    const body = table.tBodies[0];
    const reason = (row) => (row.nextElementSibling?.className === 'reason' ? row.nextElementSibling : null);
    const checks = all('tr.check', body).map((row, place) => ({ rows: [row, reason(row)].filter(Boolean), row, place }));
    sortable(table, checks);
    const problems = checks.filter((check) => 'problem' in check.row.dataset).length;
    if (problems && problems < checks.length) {
      const label = make('label', ` only the ${problems} that did not pass`, { class: 'filter' });
      const box = make('input', '', { type: 'checkbox' });
      label.prepend(box);
      table.before(label);
      box.addEventListener('change', () => checks.forEach((check) => {
        check.rows.forEach((row) => { row.hidden = box.checked && !('problem' in check.row.dataset); });
      }));
    }
  }

  // Curves: what share lies below the pointer, or below where the arrow keys went.
  all('svg.spread').forEach((chart) => {
    const [low, high] = [Number(chart.dataset.low), Number(chart.dataset.high)];
    const curves = all('path[data-arm]', chart).map((path) => {
      const corners = [];
      let [right, height] = [40, 176];
      for (const [, way, by] of path.getAttribute('d').matchAll(/([hv])(-?[\d.]+)/g)) {
        if (way === 'h') right += Number(by);
        else corners.push([right, height += Number(by)]);
      }
      return { arm: path.dataset.arm, share: (x) => {
        const y = corners.findLast((corner) => corner[0] <= x)?.[1] ?? 176;
        return (176 - y) / 1.6;
      } };
    });
    const said = make('output', '', { class: 'small' });
    const line = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    line.setAttribute('class', 'pointer');
    chart.append(line);
    chart.after(said);
    chart.setAttribute('tabindex', '0');
    let at = 222;
    const show = (x) => {
      at = Math.min(404, Math.max(40, x));
      const ms = low * (high / low) ** ((at - 40) / 364);
      const text = ms >= 1000 ? `${(ms / 1000).toPrecision(3)} s` : `${ms.toPrecision(3)} ms`;
      line.setAttribute('d', `M${at} 16V176`);
      said.textContent = `within ${text}: ` + curves.map((c) => `${c.arm} ${c.share(at).toFixed(1)} %`).join(', ');
    };
    chart.addEventListener('pointermove', (event) => {
      const box = chart.getBoundingClientRect();
      show((event.clientX - box.left) / box.width * 420);
    });
    chart.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -4, ArrowRight: 4 }[event.key];
      if (!step) return;
      event.preventDefault();
      show(at + step);
    });
  });
  document.documentElement.dataset.ready = Math.round(performance.now());
});
