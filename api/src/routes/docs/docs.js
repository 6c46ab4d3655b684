"use strict";
const $ = (id) => document.getElementById(id);

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function about(text) {
  const made = element("p", text);
  made.className = "about";
  return made;
}

function table(heads, rows) {
  const made = element("table", "",
    element("thead", "", element("tr", "", ...heads.map((head) => element("th", head)))),
    element("tbody", "", ...rows.map((row) =>
      element("tr", "", ...row.map((cell, index) => element("td", "", index ? cell : element("code", cell)))))));
  const scroll = element("div", "", made);
  scroll.className = "scroll";
  return scroll;
}

function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const several = schema.oneOf || schema.anyOf || schema.allOf;
  if (several) return several.map(typeOf).join(" or ");
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.type === "array") return "array of " + typeOf(schema.items);
  const type = [].concat(schema.type || "any").join(" or ");
  return schema.format ? type + " (" + schema.format + ")" : type;
}

function bodyOf(content) {
  return Object.entries(content || {})
    .map(([kind, { schema }]) => kind + (schema ? ": " + typeOf(schema) : "")).join(", ");
}

function operation(path, method, spec) {
  const verb = element("span", method.toUpperCase());
  verb.className = "method";
  const inside = element("div");
  if (spec.description) inside.append(about(spec.description));
  if (spec.parameters && spec.parameters.length) {
    inside.append(element("h4", "Parameters"), table(["name", "in", "meaning"],
      spec.parameters.map((one) => [one.name, one.in, one.description || ""])));
  }
  if (spec.requestBody) inside.append(element("h4", "Body"), element("code", bodyOf(spec.requestBody.content)));
  inside.append(element("h4", "Answers"), table(["status", "meaning", "body"],
    Object.entries(spec.responses).map(([status, one]) => [status, one.description || "", bodyOf(one.content)])));
  return element("details", "",
    element("summary", "", verb, " ", element("code", path), " – " + (spec.summary || "")), inside);
}

function schema(name, spec) {
  const inside = element("div");
  if (spec.description) inside.append(about(spec.description));
  const required = spec.required || [];
  const rows = Object.entries(spec.properties || {}).map(([field, one]) =>
    [field, typeOf(one) + (required.includes(field) ? "" : ", optional"), one.description || ""]);
  inside.append(rows.length ? table(["field", "type", "meaning"], rows) : element("code", typeOf(spec)));
  if (spec.example) inside.append(element("pre", JSON.stringify(spec.example, null, 2)));
  return element("details", "", element("summary", "", element("code", name)), inside);
}

async function show() {
  const spec = await (await fetch("/openapi.json")).json();
  $("about").className = "about";
  $("about").textContent = spec.info.description;
  for (const tag of spec.tags) {
    $("operations").append(element("h2", tag.description));
    for (const [path, methods] of Object.entries(spec.paths)) {
      for (const [method, one] of Object.entries(methods)) {
        if ((one.tags || []).includes(tag.name)) $("operations").append(operation(path, method, one));
      }
    }
  }
  for (const [name, one] of Object.entries(spec.components.schemas)) $("schemas").append(schema(name, one));
}

$("try").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = $("answer");
  answer.hidden = false;
  answer.textContent = "…";
  try {
    const response = await fetch("/chat/", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ content: $("content").value }),
    });
    const body = JSON.stringify(await response.json(), null, 2);
    answer.textContent = response.status + " " + response.statusText + "\n\n" + body;
  } catch {
    answer.textContent = "No answer.";
  }
});

show().catch(() => { $("about").textContent = "The description could not be loaded."; });
