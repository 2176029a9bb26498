(() => {
  // Reload after a run has published data, unless the form is in use. Tables stay open, at the same rows.
  const shown = document.querySelector("meta[name=version]").content;
  const figures = [...document.querySelectorAll("figure")];
  const busy = () => document.activeElement.closest("form");
  for (const [id, top] of history.state?.open ?? []) {
    const details = document.getElementById(id)?.querySelector("details");
    if (!details) continue;
    details.open = true;
    details.querySelector(".scroll").scrollTop = top;
  }
  if (history.state?.open) scrollTo(0, history.state.top);
  const reload = () => {
    const open = figures.filter((figure) => figure.querySelector("details[open]"));
    const tables = open.map((figure) => [figure.id, figure.querySelector(".scroll").scrollTop]);
    history.replaceState({ open: tables, top: scrollY }, "");
    location.reload();
  };
  setInterval(async () => {
    try {
      const answer = await fetch("/version");
      if (answer.ok && (await answer.text()) !== shown && !busy()) reload();
    } catch { /* The dashboard has stopped. */ }
  }, 15000);
})();
