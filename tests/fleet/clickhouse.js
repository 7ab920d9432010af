// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * clickhouse.js FLEET RECORDS: a ClickHouse in this process with the schema of the folder FLEET takes the lines of the
 * file RECORDS, all of them twice, as Kafka may deliver them. Prints as JSON what its tables then say, and the answers to
 * the folder's queries. The topic is a table that rows are inserted into: no broker is needed.
 */
"use strict";

const fs = require("fs");
const path = require("path");
const { Session } = require("chdb");

const [fleet, records] = process.argv.slice(2);
const topic = "CREATE TABLE tcpfin.topic (record String, _error String, _raw_message String) ENGINE = Null";
const session = new Session();

function statements(file) {
	const text = fs.readFileSync(path.join(fleet, file), "utf8").replace(/^--.*$/gm, "");

	return text.split(/;\s*\n/).map((one) => one.trim()).filter((one) => one);
}

function rows(query) {
	const lines = session.query(query, "JSONEachRow").split("\n");

	return lines.filter((line) => line).map((line) => JSON.parse(line));
}

for (const statement of statements("schema.sql"))
	session.query(statement.includes("ENGINE = Kafka") ? topic : statement);
const lines = fs.readFileSync(records, "utf8");
for (let time = 0; time < 2; time++)
	session.query("INSERT INTO tcpfin.topic (record) FORMAT TSVRaw\n" + lines);
session.query("INSERT INTO tcpfin.topic VALUES ('', 'Cannot parse', '{')");

console.log(JSON.stringify({
	closes: rows("SELECT hex(id) AS id, * EXCEPT (id, record) FROM tcpfin.closes FINAL ORDER BY id"),
	minutes: rows("SELECT outcome, uniqExactMerge(connections) AS connections FROM tcpfin.closes_by_minute GROUP BY outcome"),
	joined: rows("SELECT community_id, length(views) AS views FROM tcpfin.joined"),
	unreadable: rows("SELECT error, message FROM tcpfin.unreadable"),
	answers: statements("queries.sql").map(rows),
}));
