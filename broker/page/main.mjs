// SPDX-License-Identifier: MIT
// Signing in and out, which view is shown, what keeps it up to date, and the acts.

import {Refusal, ending, forget, get, now, part, request, signIn} from '/page/api.mjs';
import {alarm, code, h, morph, named, nothing, price} from '/page/dom.mjs';
import {lease, readBills} from '/page/lease.mjs';
import {follow} from '/page/live.mjs';
import {run} from '/page/run.mjs';
import {accounts, attention, attentionCount, leases, queue, readGlance, readMore, runs, usage} from '/page/views.mjs';

const VIEWS = {leases, attention, accounts, queue, usage, runs, lease, run};
const NAVIGATION = [['leases', 'Leases', '/'], ['attention', 'Attention', '/#attention'], ['accounts', 'Accounts', '/#accounts'],
	['queue', 'Queue', '/#queue'], ['usage', 'Usage', '/#usage'], ['runs', 'Runs', '/#runs']];
const TOUCH_MS = 500;    // one lease is read again in this time
const TOUCHES_MOST = 10; // more of them: everything is
const ALL_MS = 5000;     // everything is read again at most this often
const EACH_MS = 60000;   // and at least this often
const RUN_MS = 3000;

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
const $ = id => document.getElementById(id);
const say = text => { $('said').textContent = text; };

let me = null;      // whoami; null: nobody is signed in
let glance = null;
let at = null;      // the view: {name, arg, data, error, choice, newest}; newest: the read that is shown
let readAt = 0;
let reads = 0;
let failed = '';    // why the last act was not carried out; stays until the next act or view

// ---- which view -----------------------------------------------------------------------------

const decoded = text => {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
};
const place = () => {
	const found = location.pathname.match(/^\/portal\/runs\/([^/]+)$/);
	if (found && !location.hash) return {name: 'run', arg: decoded(found[1])};
	const [name, arg = ''] = location.hash.slice(1).split('/').map(decoded);
	if (name === 'lease' && arg) return {name, arg};
	return {name: NAVIGATION.some(n => n[0] === name) ? name : 'leases', arg: ''};
};

const context = () => ({me, glance, arg: at.arg, old: at.data, choice: at.choice, now: now()});

const frame = () => {
	const isIn = me !== null;
	const count = name => !glance ? '' : name === 'attention' ? attentionCount(glance) : name === 'queue' ? String(glance.queue.queue.length) : '';
	for (const id of ['views', 'who', 'foot']) $(id).hidden = !isIn;
	morph($('views'), h('nav', null, h('ul', {role: 'list'}, isIn && NAVIGATION.map(([name, text, href]) => h('li', null,
		h('a', {href, 'aria-current': at?.name === name ? 'page' : null}, text,
			Number.parseInt(count(name), 10) > 0 && [' ', h('span', {class: `count ${name}`}, count(name))]))))));
	morph($('who'), h('p', null, isIn && [h('span', null, named(me.owner), `, ${me.role === 'reader' ? 'reads only' : me.role}`),
		h('button', {type: 'button', class: 'small', 'data-act': 'leave'}, 'Sign out')]));
	morph($('foot'), h('footer', null, isIn && [h('span', null, 'lessord ', named(me.version || '')), readAt > 0 && h('span', null, 'read at ',
		new Date(readAt).toLocaleTimeString('en-GB')), h('span', null, `times in ${ZONE}`)]));
};

const show = () => {
	if (!at) return;
	const view = VIEWS[at.name];
	const title = view.title(at.data);
	const body = h('main', null, h('h1', {id: 'title', tabindex: -1}, named(title)),
		failed && h('p', {role: 'alert', class: 'alarm', 'data-key': 'failed'}, failed),
		at.error && alarm(at.error), at.data?.missing && alarm(at.data.missing),
		at.data && !at.data.missing ? view.show(at.data, context()) : !at.error && !at.data?.missing && nothing('Reading…'));
	const had = document.activeElement;
	morph($('main'), body);
	// What had the focus is gone, such as the button of an act that is done.
	if (had && had !== document.body && !had.isConnected) $('title').focus({preventScroll: true});
	document.title = `${title} – lessor`;
	frame();
	showBusy();
};

// What went wrong, for a person. 401 is told by the form for the token.
const told = error => error instanceof Refusal ? error.message : 'The daemon cannot be reached. What is shown may be old.';
const isEnd = error => error.name === 'AbortError' || (error instanceof Refusal && error.status === 401);

// Reads the view; the one that is shown then may be another.
const read = async () => {
	const mine = at, number = ++reads;
	try {
		const [seen, data] = await Promise.all([readGlance(me, glance), VIEWS[mine.name].load(context())]);
		// An answer that was asked for later is shown already.
		if (at !== mine || !me || number < mine.newest) return;
		mine.newest = number;
		glance = seen;
		Object.assign(mine, {data, error: null});
		readAt = Date.now();
	} catch (error) {
		if (at !== mine || !me || isEnd(error) || number < mine.newest) return;
		if (error instanceof Refusal || !mine.data) mine.error = told(error);
		show();
		throw error;
	}
	show();
};
const readQuietly = () => read().catch(error => {
	if (!(error instanceof Refusal || error instanceof TypeError)) throw error;
});

const go = async isMoved => {
	const to = place();
	at = {...to, data: null, error: null, choice: at?.name === to.name ? at.choice : {}, newest: 0};
	if (isMoved) failed = '';
	show();
	if (isMoved) {
		scrollTo(0, 0);
		$('title').focus({preventScroll: true});
	}
	await readQuietly();
};

// What has just been changed or added is shown: reads that were begun before do not replace it, and
// everything is read again soon.
const supersede = view => {
	view.newest = reads + 1;
	isAllDue = true;
};

// ---- keeping it up to date --------------------------------------------------------------------

const changed = new Set();
let allAt = 0, isAllDue = false, isBusy = false;

const turnOver = async () => {
	if (!me || isBusy || !at) return;
	isBusy = true;
	const mine = at;
	try {
		const since = performance.now() - allAt;
		const view = VIEWS[at.name];
		if (changed.size > TOUCHES_MOST || (changed.size && !view.touch)) {
			changed.clear();
			isAllDue = true;
		}
		const [id] = changed;
		if (id !== undefined && at.data && !at.data.missing) {
			changed.delete(id);
			isAllDue = true;
			await view.touch(at.data, id, context());
			if (at === mine && me) show();
		} else if ((isAllDue && since > ALL_MS) || since > EACH_MS || (view.isMoving?.(at.data) && since > RUN_MS)) {
			isAllDue = false;
			allAt = performance.now();
			await read();
		}
	} catch {
		// The stream of events finds out, and says so.
		isAllDue = true;
	} finally {
		isBusy = false;
	}
};

const connection = (word, text) => {
	const element = $('connection');
	if (element.textContent !== text) element.textContent = text;
	element.dataset.state = word;
};

const followAll = signal => follow({
	live: () => connection('live', 'Live'),
	polling: () => connection('polling', 'Polling every 15 s'),
	offline: () => connection('offline', 'Offline, trying to reconnect'),
	lease: event => { if (typeof event.leaseID === 'string') changed.add(event.leaseID); },
	reset: async () => {
		changed.clear();
		isAllDue = false;
		allAt = performance.now();
		if (signal.aborted || !me) return;
		try {
			await read();
		} catch (error) {
			// The daemon is there, and says what is wrong; the view shows it.
			if (!(error instanceof Refusal)) throw error;
			isAllDue = true;
		}
	},
}, signal);

setInterval(turnOver, TOUCH_MS);
// Relative times.
setInterval(() => { if (me && !document.hidden) show(); }, 20000);

// ---- signing in and out -------------------------------------------------------------------------

const form = reason => {
	at = me = glance = null;
	failed = '';
	readAt = 0;
	changed.clear();
	if ($('dialog').open) $('dialog').close();
	frame();
	connection('', '');
	document.title = 'Sign in – lessor';
	$('main').replaceChildren(h('form', {id: 'sign', class: 'sign', method: 'dialog'}, h('h1', {id: 'title', tabindex: -1}, 'Sign in'),
		h('p', {class: 'soft', id: 'about'}, 'With the token that an operator gave you. It stays in the memory of this page: a reload asks for it again.'),
		h('p', null, h('label', {for: 'token'}, 'Token'), h('input', {id: 'token', type: 'password', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', 'aria-describedby': 'about refused'})),
		h('p', {role: 'alert', id: 'refused', class: 'refused'}), h('p', null, h('button', {type: 'submit', class: 'main'}, 'Sign in'))));
	if (reason) $('refused').textContent = reason;
	$('token').focus();
};

const leave = reason => {
	forget();
	form(reason);
};

let isEntering = false;
const enter = async text => {
	const refuse = reason => {
		forget();
		me = null;
		$('refused').textContent = '';
		$('refused').textContent = reason;
		$('token').focus();
	};
	if (!/^[\x21-\x7e]{1,256}$/.test(text)) return refuse(text ? 'This is not a token: a token has letters, digits and underscores only.' : 'Enter a token.');
	signIn(text, refused => { if (me) leave(`The token is no longer accepted: ${refused.message}`); });
	try {
		me = await get('/v1/whoami');
	} catch (error) {
		return refuse(error instanceof Refusal ? error.status === 401 ? `The token is refused: ${error.message}` : error.message :
			'The daemon cannot be reached; the token was not checked.');
	}
	const signal = ending();
	$('main').replaceChildren();
	connection('', 'Connecting');
	await go(true);
	if (!signal.aborted) followAll(signal);
};

// ---- acts -------------------------------------------------------------------------------------------

// One question at a time: an answer is only to what a person has read.
let isAsking = false;

const ask = async (question, consequence, choice, cancel, isDangerous, extra) => {
	if (isAsking) return null;
	isAsking = true;
	try {
		return await answer(question, consequence, choice, cancel, isDangerous, extra);
	} finally {
		isAsking = false;
	}
};
const answer = (question, consequence, choice, cancel, isDangerous, extra) => new Promise(done => {
	const dialog = $('dialog');
	dialog.replaceChildren(h('form', {method: 'dialog'}, h('h2', {id: 'question'}, question), h('div', {id: 'consequence'}, consequence), extra,
		h('p', {class: 'acts'}, h('button', {value: 'no', id: 'cancel'}, cancel), h('button', {value: 'yes', class: isDangerous ? 'danger' : 'main'}, choice))));
	dialog.returnValue = '';
	const before = document.activeElement;
	dialog.addEventListener('close', () => {
		if (before?.isConnected) before.focus();
		done(dialog.returnValue === 'yes' ? dialog.querySelector('select')?.value ?? true : null);
	}, {once: true});
	dialog.showModal();
	$('cancel').focus();
});

// The lease as it is now, and the tag that makes the act conditional on it. Ends the act if another
// view is shown by then.
const fresh = async id => {
	const mine = at;
	const response = await request('GET', `/v1/leases/${part(id)}`);
	const {lease: l} = await response.json();
	if (at !== mine) throw new DOMException('another view', 'AbortError');
	return {lease: l, tag: response.headers.get('ETag')};
};
const act = async (id, path, body, tag, done) => {
	await request('POST', `/v1/leases/${part(id)}/${path}`, {body, headers: {Prefer: 'respond-async', ...(tag && {'If-Match': tag})}});
	say(done);
	changed.add(id);
	if (at?.data) supersede(at);
	if (at?.data?.lease?.id === id) await VIEWS[at.name].touch(at.data, id, context());
};

const release = async id => {
	const {lease: l, tag} = await fresh(id);
	const owner = l.owner === me.owner ? '' : ` It belongs to ${l.owner}.`;
	const yes = await ask(`Release ${l.slug}?`, [h('p', null, `Its machine${l.host ? ` (${l.serverType}, ${l.host})` : ''} is deleted, with everything on it.${owner} This cannot be undone.`),
		h('p', {class: 'soft'}, 'To end the lease and keep the machine: ', code(`lessor release ${l.slug} --keep-server`))], 'Release and delete', 'Cancel', true);
	if (yes) await act(id, 'release', {delete: true, expectedProvider: l.provider}, tag, `${l.slug} is released.`);
};

const extend = async id => {
	const {lease: l, tag} = await fresh(id);
	const cost = l.hourlyPrice ? ` Each hour costs ${price(l.hourlyPrice, l.currency)}.` : '';
	const picked = await ask(`Extend ${l.slug}?`, h('p', null, `It may live longer, up to the broker's maximum; it never becomes shorter.${cost} It still ends earlier when no heartbeat comes.`), 'Extend', 'Cancel', false,
		h('p', null, h('label', {for: 'hours'}, 'By '), h('select', {id: 'hours'}, [1, 2, 4, 8].map(n => h('option', {value: n}, n === 1 ? '1 hour' : `${n} hours`)))));
	if (picked) await act(id, 'extend', {ttlSeconds: l.ttlSeconds + 3600 * Number(picked), expectedProvider: l.provider}, tag, `${l.slug} is extended.`);
};

const copy = async button => {
	const code = button.previousElementSibling;
	try {
		await navigator.clipboard.writeText(button.dataset.text);
		say('Copied.');
	} catch {
		// Only pages with TLS, and those of this machine, may write there: select it for a person.
		getSelection().selectAllChildren(code);
		say('The command is selected.');
	}
};

// Adds to what the view shows: again, if that was read anew meanwhile.
const add = async what => {
	const mine = at;
	let data;
	do {
		data = mine.data;
		await what(data);
	} while (at === mine && mine.data && mine.data !== data);
	if (mine.data === data) supersede(mine);
};

const ACTS = {
	leave: () => leave(''),
	copy,
	release: button => release(button.dataset.id),
	extend: button => extend(button.dataset.id),
	more: ({dataset: {list}}) => add(data => readMore(data, list)),
	runs: () => add(data => runs.more(data)),
	events: () => add(data => lease.more(data)),
	bills: () => add(data => readBills(data, me, now())),
};

// The acts under way, and what they are about. An element may be replaced meanwhile.
const busy = new Set();
const actOf = ({dataset: {act: name, id, list, text}}) => [name, id, list, text].join(' ');
const showBusy = () => {
	for (const button of document.querySelectorAll('button[data-act]')) {
		if (busy.has(actOf(button))) button.setAttribute('aria-busy', 'true');
		else button.removeAttribute('aria-busy');
	}
};

const perform = async button => {
	const mine = at, what = actOf(button), name = button.textContent.trim();
	if (busy.has(what)) return;
	busy.add(what);
	failed = '';
	showBusy();
	try {
		await ACTS[button.dataset.act](button);
	} catch (error) {
		// What was to change a lease is told in whatever view is shown by now: nobody may believe that it was done.
		if (isEnd(error) || (at !== mine && !button.dataset.id)) return;
		failed = `${name}: ${told(error)}`;
	} finally {
		busy.delete(what);
		showBusy();
	}
	if (me) show();
};

addEventListener('click', event => {
	const button = event.target.closest('button[data-act]');
	if (button) {
		perform(button);
		return;
	}
	const link = event.target.closest('a[href]');
	if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
	event.preventDefault();
	if (link.id === 'skip') {
		$('main').focus();
	} else if (me) {
		const to = new URL(link.href);
		if (to.pathname + to.hash !== location.pathname + location.hash) history.pushState(null, '', to);
		go(true);
	}
});
addEventListener('change', event => {
	const name = event.target.dataset.choice;
	if (!name || !at) return;
	at.choice[name] = event.target.value;
	at.data = null;
	// What was asked for with the old choice is not shown.
	at.newest = reads + 1;
	readQuietly();
});
addEventListener('submit', event => {
	if (event.target.id !== 'sign') return;
	event.preventDefault();
	// A second press of the button is not another token.
	if (isEntering) return;
	const field = $('token'), text = field.value.trim();
	field.value = '';
	isEntering = true;
	enter(text).finally(() => { isEntering = false; });
});
addEventListener('popstate', () => { if (me) go(true); });
// A page that comes back from the browser's memory asks again.
addEventListener('pagehide', event => { if (event.persisted && me) leave(''); });

form('');
