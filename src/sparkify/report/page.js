(() => {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const shown = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const label = () => { button.textContent = shown() === "dark" ? "Light" : "Dark"; };
  const remember = (theme) => { try { localStorage.setItem("theme", theme); } catch { /* A browser can forbid storage. */ } };
  try { if (localStorage.getItem("theme")) root.dataset.theme = localStorage.getItem("theme"); } catch { /* As above. */ }
  button.addEventListener("click", () => {
    root.dataset.theme = shown() === "dark" ? "light" : "dark";
    remember(root.dataset.theme);
    label();
  });
  dark.addEventListener("change", label);
  button.hidden = false;
  label();
  const tables = document.getElementById("tables"); // Open tables are printed too.
  const all = [...document.querySelectorAll("details")];
  tables.addEventListener("click", () => {
    const open = !all.every((each) => each.open);
    all.forEach((each) => { each.open = open; });
    tables.textContent = open ? "Close tables" : "Open tables";
  });
  tables.hidden = all.length === 0;
})();
