// SPDX-License-Identifier: MIT
// Elements from data, and how the document is brought up to date. Everything that comes from the
// API is hostile text: here it becomes text nodes and attributes that cannot run.

const isFixed = name => /^(class|id|role|type|href|title|datetime|scope|tabindex|name|value|method|selected|hidden|for|autocomplete|autocapitalize|spellcheck|open|dir|lang|aria-[a-z]+|data-[a-z]+)$/.test(name);

// An element. Attributes that are null, undefined or false are left out, and so are such children.
export const h = (tag, attributes, ...children) => {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes || {})) {
		if (value === null || value === undefined || value === false) continue;
		if (!isFixed(name)) throw new Error(`attribute ${name}`);
		element.setAttribute(name, value === true ? '' : String(value));
	}
	for (const child of children.flat(Infinity)) {
		if (child === null || child === undefined || child === false || child === '') continue;
		element.append(child);
	}
	return element;
};

// What somebody named: its direction and its odd characters stay within.
export const named = text => h('bdi', null, String(text ?? ''));

// An address of the page, from parts that are escaped here.
export const address = (...parts) => '/#' + parts.map(encodeURIComponent).join('/');

const keyOf = node => node.nodeType === 1 ? node.dataset.key : undefined;
const isLike = (one, other) => one.nodeName === other.nodeName && keyOf(one) === keyOf(other) &&
	(one.nodeType !== 1 || one.id === other.id);

const update = (have, want) => {
	if (have.nodeType !== 1) {
		if (have.data !== want.data) have.data = want.data;
		return;
	}
	for (const {name, value} of [...want.attributes])
		if (have.getAttribute(name) !== value) have.setAttribute(name, value);
	for (const {name} of [...have.attributes])
		if (!want.hasAttribute(name) && !(name === 'open' && have.localName === 'details'))
			have.removeAttribute(name);
	morph(have, want);
};

// Makes the children of `have` like those of `want`, and touches only what differs.
export const morph = (have, want) => {
	const wanted = new Set([...want.children].map(keyOf));
	const kept = new Map();
	for (const child of [...have.children]) {
		const key = keyOf(child);
		if (key === undefined) continue;
		if (wanted.has(key)) kept.set(key, child);
		else child.remove();
	}
	let at = have.firstChild;
	for (const next of [...want.childNodes]) {
		const old = kept.get(keyOf(next));
		const found = old && isLike(old, next) ? old : at && isLike(at, next) ? at : null;
		if (!found) {
			have.insertBefore(next, at);
			continue;
		}
		if (found === at) at = at.nextSibling;
		else have.insertBefore(found, at);
		update(found, next);
	}
	while (at) {
		const next = at.nextSibling;
		at.remove();
		at = next;
	}
};

// ---- texts ------------------------------------------------------------------------------

const DAY = 86400;

export const span = seconds => {
	const s = Math.round(Math.abs(seconds));
	if (s < 60) return `${s} s`;
	if (s < 3600) return `${Math.floor(s / 60)} min`;
	if (s < DAY) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
	return `${Math.floor(s / DAY)} d ${Math.floor(s % DAY / 3600)} h`;
};

const whole = new Intl.DateTimeFormat('en-GB', {dateStyle: 'medium', timeStyle: 'long'});
const short = new Intl.DateTimeFormat('en-GB', {
	day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit'});

const exact = new Intl.DateTimeFormat('en-GB', {
	day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit'});

const timed = (iso, text) => {
	const date = new Date(iso ?? NaN);
	return Number.isNaN(date.getTime()) ? '–' :
		h('time', {datetime: date.toISOString(), title: whole.format(date)}, text(date));
};
// How long ago, or in how long; `now` is the daemon's time.
export const relative = (iso, now) => timed(iso, date => {
	const seconds = (date.getTime() - now) / 1000;
	if (Math.abs(seconds) < 10) return seconds > 0 ? 'now' : 'just now';
	return seconds > 0 ? `in ${span(seconds)}` : `${span(seconds)} ago`;
});
export const clock = iso => timed(iso, date => short.format(date));
export const second = iso => timed(iso, date => exact.format(date));
export const both = (iso, now) => iso ? [relative(iso, now), ' (', clock(iso), ')'] : '–';

const amountOf = (amount, currency, digits) => {
	if (typeof amount !== 'number') return '–';
	try {
		return new Intl.NumberFormat('en', {style: 'currency', currency,
			minimumFractionDigits: 2, maximumFractionDigits: digits}).format(amount);
	} catch {
		return `${amount.toFixed(digits)} ${currency ?? ''}`.trim();
	}
};
export const price = (amount, currency) => amountOf(amount, currency, 4);
export const money = (amount, currency) => amount > 0 && amount < 0.005 ? `under ${amountOf(0.01, currency, 2)}` : amountOf(amount, currency, 2);
export const sums = (costs, member) => (costs || []).map(c => money(c[member], c.currency)).join(' + ') || '–';

export const bytes = n => n < 1024 ? `${n} B` : n < 1048576 ? `${(n / 1024).toFixed(1)} KiB` :
	`${(n / 1048576).toFixed(1)} MiB`;

// ---- parts ------------------------------------------------------------------------------

const KINDS = {
	active: 'ok', ok: 'ok', succeeded: 'ok', done: 'ok', provisioning: 'busy', running: 'busy', waiting: 'busy',
	owed: 'warn', retained: 'warn', paused: 'warn', frozen: 'warn', attention: 'bad', failed: 'bad', blocked: 'bad', fenced: 'bad',
};
export const chip = (word, text = word) => h('span', {class: `chip ${KINDS[word] || 'mute'}`}, String(text));

// `columns`: names; `rows`: {key, cells}, of which the first is the row's header. The roles are
// there because a table that is laid out as cards is none to some browsers.
export const table = (caption, columns, rows, {isQuiet, level = 2} = {}) => h('div', {class: 'grid', 'data-key': `t-${caption}`},
	!isQuiet && h(`h${level}`, null, caption),
	h('table', {role: 'table', 'aria-label': caption},
		h('thead', {role: 'rowgroup'}, h('tr', {role: 'row'},
			columns.map(name => h('th', {scope: 'col', role: 'columnheader'}, name)))),
		h('tbody', {role: 'rowgroup'}, rows.map(row => h('tr', {role: 'row', 'data-key': row.key},
			row.cells.map((cell, i) => h(i ? 'td' : 'th', {role: i ? 'cell' : 'rowheader',
				scope: i ? null : 'row', 'data-label': i ? columns[i] : null},
			h('div', null, cell))))))));

// Pairs of a name and a value; without those that have no value.
export const facts = (pairs, name = 'facts') => h('dl', {class: name}, pairs
	.filter(([, value]) => value !== undefined && value !== null && value !== '' && value !== false)
	.map(([term, value]) => h('div', {'data-key': term}, h('dt', null, term), h('dd', null, value))));

// It breaks between words only: half an option is none.
const words = text => text.split(' ').map((word, i) => [i > 0 && ' ', h('span', {class: 'word'}, word)]);
export const code = text => h('code', null, words(text));
export const command = text => h('span', {class: 'command'}, code(text),
	h('button', {type: 'button', class: 'small', 'data-act': 'copy', 'data-text': text,
		'aria-label': `Copy ${text}`}, 'Copy'));

export const region = (title, ...children) => {
	const id = `r-${title.toLowerCase().replace(/[^a-z]+/g, '-')}`;
	return h('section', {'aria-labelledby': id, 'data-key': id}, h('h2', {id}, title), ...children);
};

export const alarm = text => h('p', {role: 'alert', class: 'alarm', 'data-key': 'alarm'}, text);
export const nothing = text => h('p', {class: 'nothing'}, text);
