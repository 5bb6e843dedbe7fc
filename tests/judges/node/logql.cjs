// Reads LogQL expressions, a JSON list, from standard input; writes for each where Grafana's grammar does not take it.
"use strict";
const fs = require("node:fs");
const { parser } = require("@grafana/lezer-logql");

const faults = (expression) => {
  const found = [];
  parser.parse(expression).iterate({
    enter: (node) => {
      if (node.type.isError) found.push(expression.slice(node.from, node.from + 40));
    },
  });
  return found;
};
process.stdout.write(JSON.stringify(JSON.parse(fs.readFileSync(0, "utf8")).map(faults)));
