// The site's search takes "-word" for "without word", and so finds nothing for "--pixel-size": of an option it gets the words only.
const typed = document.querySelector(".md-search__input");
const { get, set } = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
if (typed) Object.defineProperty(typed, "value", { set, get() { return get.call(this).replaceAll(/(^|\s)--+(?=\w)/g, "$1"); } });
