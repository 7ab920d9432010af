// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
// Sorting and searching the table, and opening connections. Without it the page shows the same, in one order.
(() => {
	const table = document.getElementById("problems");
	const body = table && table.tBodies[0];
	const all = document.getElementById("all");
	const cases = [...document.querySelectorAll("details.case")];

	const key = (row, column) => {
		const cell = row.cells[column];
		return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent;
	};

	const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
		: String(a).localeCompare(String(b), "en", {numeric: true});

	// What is searched for is shown whole; else the first rows, until more are asked for.
	const FIRST = 15;
	const input = document.getElementById("find");
	const more = document.getElementById("more");
	let whole = false;

	const show = () => {
		const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
		let found = 0, connections = 0;
		for (const row of body.rows) {
			const text = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
			const fits = words.every((word) => text.includes(word));
			found += fits;
			connections += fits ? Number(row.cells[0].dataset.v) : 0;
			row.hidden = !fits || (!whole && !words.length && found > FIRST);
		}
		document.getElementById("found").textContent = words.length
			? `${found} of ${body.rows.length} rows, ${connections} connections` : "";
		more.closest(".find").hidden = words.length > 0 || body.rows.length <= FIRST;
		more.textContent = whole ? `Show the first ${FIRST} rows` : `Show all ${body.rows.length} rows`;
	};

	const sort = (head) => {
		const column = head.cellIndex;
		const number = head.classList.contains("n");
		const before = head.getAttribute("aria-sort");
		const down = before ? before === "ascending" : number;
		for (const other of head.parentNode.cells)
			other.removeAttribute("aria-sort");
		head.setAttribute("aria-sort", down ? "descending" : "ascending");
		const rows = [...body.rows].map((row) => [key(row, column), row]);
		rows.sort((a, b) => compare(a[0], b[0]) * (down ? -1 : 1));
		body.append(...rows.map(([, row]) => row));
		show();
	};

	const open = (wanted) => {
		for (const one of cases)
			one.open = wanted;
		all.textContent = wanted ? "Close all" : "Open all";
	};

	if (body) {
		for (const head of table.tHead.rows[0].cells)
			head.querySelector("button").addEventListener("click", () => sort(head));
		input.addEventListener("input", show);
		input.closest(".find").hidden = false;
		more.addEventListener("click", () => { whole = !whole; show(); });
		addEventListener("beforeprint", () => { whole = true; show(); });
		show();
	}
	if (cases.length) {
		cases[0].open = true;
		all.closest(".find").hidden = false;
		all.addEventListener("click", () => open(!cases.every((one) => one.open)));
		addEventListener("beforeprint", () => open(true));
	}
})();
