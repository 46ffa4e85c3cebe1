import { area, describe } from "./lib/shapes.js";
import data from "./data.json";

class Report {
  #lines = [];

  add(shape) {
    this.#lines.push(`${describe(shape)}: ${area(shape)?.toFixed(2) ?? "unknown"}`);
    return this;
  }

  toString() {
    return this.#lines.join("\n");
  }
}

const report = data.shapes.reduce((r, shape) => r.add(shape), new Report());
console.log(report.toString());
