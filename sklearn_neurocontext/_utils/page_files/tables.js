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

// Return columns of numbers, and of counts, for `makeTable`.
export const number = (name, heading, digits = 2) => ({
  name,
  heading,
  number: true,
  cell: (row) => format(row[name], digits),
});
export const count = (name, heading) => ({
  name,
  heading,
  number: true,
  cell: (row) => row[name]?.toLocaleString("en"),
});

// Return a part of the page with a heading, a table and its download.
export function makePart(heading, note, columns, rows, file) {
  const part = document.createElement("div");
  const title = document.createElement("h3");
  title.textContent = heading;
  part.append(title);
  if (note) {
    const paragraph = document.createElement("p");
    paragraph.className = "hint";
    paragraph.textContent = note;
    part.append(paragraph);
  }
  if (!rows.length) return part;
  const shown = columns.filter(
    ({ name }) => !name || rows.some((row) => !["", null, undefined].includes(row[name])),
  );
  const frame = document.createElement("div");
  frame.className = "table";
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", heading);
  frame.append(makeTable("", shown, rows));
  part.append(frame, makeDownload(file, rows));
  return part;
}
