// Build tables, and files with the values of tables.

// Return a number with a few significant digits and a real minus sign.
export function format(number, digits = 2) {
  if (number === null || number === undefined) return "";
  const small = number !== 0 && Math.abs(number) < 10 ** -digits;
  const text = small ? number.toExponential(1) : number.toFixed(digits);
  return text.replace("-", "−");
}

// Return a table element. A column is {name, heading, number, cell}: `cell` returns the
// text or the element of a cell from its row.
export function makeTable(caption, columns, rows) {
  const table = document.createElement("table");
  table.createCaption().textContent = caption;
  const head = table.createTHead().insertRow();
  for (const { heading, number } of columns) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = heading;
    if (number) cell.className = "number";
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const { name, number, cell } of columns) {
      const place = line.insertCell();
      if (number) place.className = "number";
      const content = cell ? cell(row) : row[name];
      place.append(content ?? "");
    }
  }
  return table;
}

const quote = (value) =>
  /[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;

// Return a button that saves rows, with all their digits, as a CSV file.
export function makeDownload(name, rows) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = `Download ${name}`;
  button.addEventListener("click", () => {
    const names = Object.keys(rows[0]);
    const lines = [names, ...rows.map((row) => names.map((one) => String(row[one] ?? "")))];
    const text = lines.map((line) => line.map(quote).join(",") + "\n").join("");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  return button;
}
