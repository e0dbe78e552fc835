"use strict";
// A button with data-copy puts that text on the clipboard.
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    let copied = true;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      // Without a clipboard, as on some pages that are opened as a file.
      const field = document.createElement("textarea");
      field.value = button.dataset.copy;
      document.body.append(field);
      field.select();
      copied = document.execCommand("copy");
      field.remove();
    }
    button.textContent = copied ? "Copied" : "Not copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

// A table with data-table is sorted by the buttons of its head and filtered by the
// controls with data-for of the same name. Without a script all rows are shown as they are.
for (const table of document.querySelectorAll("table[data-table]")) {
  const name = table.dataset.table;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const controls = Array.from(document.querySelectorAll("[data-for]")).filter((c) => c.dataset.for === name);
  const shown = document.querySelector("[data-shown-of='" + name + "']");
  const empty = document.querySelector("[data-empty-of='" + name + "']");
  const text = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  for (const control of controls) control.hidden = false;

  function wanted(row) {
    return controls.every((control) => {
      if (control.type === "search") {
        return control.value.toLowerCase().split(/\s+/).every((word) => text.get(row).includes(word));
      }
      if (control.tagName === "SELECT") {
        return !control.value || (row.dataset[control.dataset.key] || "").split(" ").includes(control.value);
      }
      const pressed = controls.filter((c) => c.tagName === "BUTTON" && c.getAttribute("aria-pressed") === "true");
      return pressed.length === 0 || pressed.some((c) => row.dataset[c.dataset.key] === c.dataset.value);
    });
  }

  function filter() {
    let n = 0;
    for (const row of rows) {
      row.hidden = !wanted(row);
      if (!row.hidden) n++;
    }
    if (shown) shown.textContent = n + " of " + rows.length;
    if (empty) empty.hidden = n > 0;
    table.hidden = n === 0 && empty !== null;
  }

  for (const control of controls) {
    if (control.tagName === "BUTTON") {
      control.addEventListener("click", () => {
        control.setAttribute("aria-pressed", control.getAttribute("aria-pressed") === "true" ? "false" : "true");
        filter();
      });
    } else {
      control.addEventListener("input", filter);
    }
  }

  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : head.dataset.first === "descending";
      for (const h of heads) h.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
      const numbers = head.dataset.sort === "number";
      const order = (a, b) => (numbers ? Number(key(a)) - Number(key(b)) : key(a).localeCompare(key(b), "en", { numeric: true }));
      rows.sort((a, b) => (down ? -order(a, b) : order(a, b)));
      body.append(...rows);
    });
  });
  filter();
}
