"use strict";
document.documentElement.classList.add("js");
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const make = (tag, attributes = {}, ...content) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...content);
  return made;
};
const plain = (value) => (typeof value === "number" ? value.toLocaleString("en") : value);
