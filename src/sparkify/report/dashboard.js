(() => {
  // Reload after a run has published data, unless a table is open or the form is in use.
  const shown = document.querySelector("meta[name=version]").content;
  const busy = () => document.querySelector("details[open]") || document.activeElement.closest("form");
  setInterval(async () => {
    try {
      const answer = await fetch("/version");
      if (answer.ok && (await answer.text()) !== shown && !busy()) location.reload();
    } catch { /* The dashboard has stopped. */ }
  }, 15000);
})();
