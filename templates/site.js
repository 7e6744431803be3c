document.addEventListener('DOMContentLoaded', () => {
  // A link to a chart opens the cell that it is folded into.
  const open = () => {
    const target = document.getElementById(location.hash.slice(1));
    const folded = target && target.closest('details.cell');
    if (!folded) return;
    folded.open = true;
    target.scrollIntoView();
  };
  addEventListener('hashchange', open);
  open();
  document.documentElement.dataset.ready = Math.round(performance.now());
});
