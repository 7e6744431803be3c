'use strict';
document.addEventListener('DOMContentLoaded', () => {
  // Courses: the session under the pointer, or where the arrow keys went, in the words of its row.
  document.querySelectorAll('svg.course').forEach((chart) => {
    const marks = [...chart.querySelectorAll('.at')].map((mark) => Number(mark.getAttribute('cx') ?? mark.dataset.x));
    const rows = [...chart.closest('figure').querySelectorAll('tbody tr')];
    if (!marks.length || marks.length !== rows.length) return;
    const said = document.createElement('output');
    said.className = 'small';
    const line = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    line.setAttribute('class', 'pointer');
    chart.append(line);
    chart.after(said);
    chart.setAttribute('tabindex', '0');
    let at = marks.length;
    const show = (place) => {
      at = Math.min(marks.length - 1, Math.max(0, place));
      line.setAttribute('d', `M${marks[at]} 34V172`);
      said.textContent = [...rows[at].cells].map((cell) => cell.textContent.trim()).filter(Boolean).join(' · ');
    };
    chart.addEventListener('pointermove', (event) => {
      const box = chart.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * 420;
      const far = (place) => Math.abs(marks[place] - x);
      show(marks.reduce((best, _, place) => (far(place) < far(best) ? place : best), 0));
    });
    chart.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      show(at + step);
    });
  });
});
