(() => {
  // A run has published something: look again, unless somebody is at a table or at the form.
  const shown = document.querySelector("meta[name=version]").content;
  const busy = () => document.querySelector("details[open]") || document.activeElement.closest("form");
  setInterval(async () => {
    try {
      const answer = await fetch("/version");
      if (answer.ok && (await answer.text()) !== shown && !busy()) location.reload();
    } catch { /* the dashboard has ended */ }
  }, 15000);
})();
