// The pages and the client need nothing that the oldest browsers lack, which README.md states. By MDN's data a name is
// newer where every feature of that name is; what a script declares is its own. Properties and values of CSS are not
// looked at: a browser that does not know them goes without.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { parse } from "acorn";
import { full } from "acorn-walk";

const { api, css, html, javascript } = createRequire(import.meta.url)("@mdn/browser-compat-data");
const ROOT = new URL("../../", import.meta.url);
const read = (path) => readFileSync(new URL(path, ROOT), "utf8");

const STATED = /Safari (\d+), Chrome and Edge (\d+), and Firefox (\d+)/;
const [, safari, chrome, firefox] = STATED.exec(read("README.md")).map(Number);
const OLDEST = {
  safari,
  safari_ios: safari,
  chrome,
  chrome_android: chrome,
  edge: chrome,
  firefox,
  firefox_android: firefox,
};

// ---- What MDN knows

/** The release from which on a browser has it as it is, without being asked to. */
function since(support) {
  const isWhole = (each) => !(each.flags || each.prefix || each.alternative_name || each.version_removed);
  const release = [support ?? []].flat().find(isWhole)?.version_added;
  return release ? parseFloat(release.replace("≤", "")) : Infinity;
}

const isOld = ({ support }) => Object.entries(OLDEST).every(([browser, release]) => since(support[browser]) <= release);

/** Names of features, and whether one of that name is old enough. */
function namesIn(tree, depth, names = new Map()) {
  for (const [key, feature] of Object.entries(tree)) {
    if (key === "__compat") continue;
    const name = key.replace(/_static$|_event$/, "");
    if (feature.__compat) names.set(name, names.get(name) || isOld(feature.__compat));
    if (depth > 1) namesIn(feature, depth - 1, names);
  }
  return names;
}

const newerOf = (names) => new Set([...names.keys()].filter((name) => !names.get(name)));

const newerOn = ([owner, its]) => [...newerOf(namesIn(its, 1))].map((name) => `${owner}.${name}`);
const STATICS = new Set(Object.entries({ ...api, ...javascript.builtins }).flatMap(newerOn));
const MEMBERS = newerOf(namesIn(javascript.builtins, 3, namesIn(api, 2)));
const GLOBALS = newerOf(namesIn(javascript.builtins, 1, namesIn(api.Window, 1, namesIn(api, 1))));
const SELECTORS = newerOf(namesIn(css.selectors, 1));
const ATTRIBUTES = newerOf(namesIn(html.global_attributes, 1, namesIn(html.elements, 2)));

// ---- What is used

/** Names that are newer, and the two pieces of syntax that Safari 16 lacks. */
function newerInScript(source) {
  const [own, modules, members, globals, found] = [new Set(), new Set(), [], [], []];
  full(parse(source, { ecmaVersion: 2022, sourceType: "module" }), (node) => {
    if (node.type === "ImportNamespaceSpecifier") modules.add(node.local.name);
    else if (node.type === "MemberExpression" && !node.computed) members.push([node.object.name, node.property.name]);
    else if (node.type === "Identifier") globals.push(node.name);
    else if (node.type === "StaticBlock") found.push("static {}");
    else if (node.type === "Literal" && /\(\?<[=!]/.test(node.regex?.pattern)) found.push("lookbehind");
    members.push(...unpackedBy(node).map((name) => [node.init.name, name]));
    declaredBy(node).forEach((name) => own.add(name));
  });
  found.push(...globals.filter((name) => GLOBALS.has(name) && !own.has(name)));
  for (const [object, name] of members) {
    const isNewer = STATICS.has(`${object}.${name}`) || (MEMBERS.has(name) && !own.has(name));
    if (isNewer && !modules.has(object)) found.push(name);
  }
  return [...new Set(found)];
}

/** Members that are taken out of what has a name: `const { a, b } = c`. */
function unpackedBy({ type, id, init }) {
  if (type !== "VariableDeclarator" || id.type !== "ObjectPattern" || init?.type !== "Identifier") return [];
  return id.properties.map(({ key }) => key?.name);
}

function declaredBy({ type, id, key, local, left, params = [], properties = [] }) {
  if (type === "AssignmentExpression") return left.object?.type === "ThisExpression" ? [left.property.name] : [];
  if (type === "ObjectExpression") return properties.map((property) => property.key?.name);
  if (type === "MethodDefinition" || type === "PropertyDefinition") return [key.name];
  return id?.type === "ObjectPattern" ? [] : [id, local, ...params].flatMap(namesOf);
}

function namesOf(pattern) {
  if (!pattern) return [];
  const { name, left, argument, elements = [], properties = [] } = pattern;
  const parts = [left, argument, ...elements, ...properties.map(({ value }) => value)];
  return name ? [name] : parts.flatMap(namesOf);
}

function newerInStyle(source) {
  const text = source.replace(/\/\*.*?\*\//gs, "");
  const selected = [...text.matchAll(/::?([a-z-]+)(?=[^;}]*\{)/g)].map(([, name]) => name);
  return [...selected.filter((name) => SELECTORS.has(name)), ...(text.match(/&/) ?? [])];
}

function newerInMarkup(source) {
  const names = source.replace(/"[^"]*"/g, "").matchAll(/\s([a-z]+)(?=[^<]*>)/g);
  return [...names].map(([, name]) => name).filter((name) => ATTRIBUTES.has(name));
}

// ---- The tests

const NEWER_IN = { js: newerInScript, css: newerInStyle, html: newerInMarkup };

/** What a file uses only where the browser has it: it hides its button where `Notification` is missing, as on iPhones. */
const OPTIONAL = {
  "static/board/notifications.js": ["Notification", "permission", "requestPermission", "showNotification"],
};

for (const folder of ["static", "templates", "handlers/socketio/browser", "handlers/socketio/operations/status"]) {
  for (const file of readdirSync(new URL(folder, ROOT), { recursive: true })) {
    const newerIn = NEWER_IN[file.split(".").at(-1)];
    if (newerIn) test(`${folder}/${file}`, () => assert.deepEqual(newerIn(read(`${folder}/${file}`)), OPTIONAL[`${folder}/${file}`] ?? []));
  }
}

const NEWER = {
  "URL.canParse(text)": ["canParse"],
  "list.toSorted()": ["toSorted"],
  "line.ariaHidden = true": ["ariaHidden"],
  "panel.showPopover()": ["showPopover"],
  "const { userActivation } = navigator": ["userActivation"],
  "Promise.withResolvers()": ["withResolvers"],
  "Object.groupBy(list, key)": ["groupBy"],
  "one.union(other)": ["union"],
  "new CloseWatcher()": ["CloseWatcher"],
  "Iterator.from(list)": ["from"],
  "AbortSignal.any(list)": ["any"],
  "scheduler.yield()": ["scheduler", "yield"],
  "/(?<=a)b/": ["lookbehind"],
  "class A { static { go(); } }": ["static {}"],
};

const OLD = [
  "structuredClone(list.at(-1))",
  "reportError(error)",
  "function forget() {} this.forget()",
  "import * as people from './people.js'; people.forget();",
  "class Plot { draw() {} } plot.draw()",
  "this.writeBuffer = []; engine.writeBuffer.length",
  "const { path, delay = 5 } = { path: 1 }; options.path + delay",
];

test("what is newer is found", () => {
  for (const [source, names] of Object.entries(NEWER)) assert.deepEqual(newerInScript(source), names, source);
  assert.deepEqual(newerInStyle("a:has(b) { color: red } p:popover-open:hover, q::before {}"), ["has", "popover-open"]);
  assert.deepEqual(newerInStyle("a { & b { color: red } }"), ["&"]);
  const markup = '<button popovertarget="x" disabled title="is it">what is it</button> <p popover>';
  assert.deepEqual(newerInMarkup(markup), ["popovertarget", "popover"]);
});

test("what is old is not, nor what a script calls its own", () => {
  for (const source of OLD) assert.deepEqual(newerInScript(source), [], source);
  assert.deepEqual(newerInStyle("a:focus-visible, li:not(:first-child) { color: red } /* a:has(b) {} */"), []);
});
