// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * clickhouse.js SCHEMA DIRECTORY BROKERS TOPIC: a ClickHouse in this process, with its data in the directory and with
 * the tables of the file SCHEMA, which reads the topic of these brokers. A line on standard input is a query, and a line
 * on standard output its answer: {"rows": [...]} or {"error": "..."}. It ends with standard input.
 */
"use strict";

const fs = require("fs");
const readline = require("readline");
const { Session } = require("chdb");

const [schema, directory, brokers, topic] = process.argv.slice(2);
const session = new Session(directory);

function rows(query) {
	const lines = session.query(query, "JSONEachRow").split("\n");

	return lines.filter((line) => line).map((line) => JSON.parse(line));
}

function answer(query) {
	try {
		return { rows: rows(query) };
	} catch (error) {
		return { error: String(error) };
	}
}

/* Puts the place into the schema, which names another one in one place. */
function replace_once(text, from, to) {
	const parts = text.split(from);

	if (parts.length !== 2)
		throw new Error(`${from} is ${parts.length - 1} times in the schema`);
	return parts.join(to);
}

function statements(text) {
	return text.replace(/^--.*$/gm, "").split(/;\s*\n/).map((one) => one.trim()).filter((one) => one);
}

let text = fs.readFileSync(schema, "utf8");
text = replace_once(text, "'localhost:9092'", `'${brokers}'`);
text = replace_once(text, "'tcpfin.closes'", `'${topic}'`);
statements(text).forEach((statement) => session.query(statement));
console.log("{}");
readline.createInterface({ input: process.stdin })
	.on("line", (line) => console.log(JSON.stringify(answer(JSON.parse(line)))))
	.on("close", () => process.exit(0));
