// SPDX-License-Identifier: MIT
// Requests, and the token. It is in this variable and nowhere else.

let token = null;
let doubt = null;      // called when the daemon no longer accepts the token
let controller = null; // ends what is under way when somebody signs out
let skew = 0;          // the daemon's clock minus ours

export class Refusal extends Error {
	constructor(status, code, message, retry) {
		super(message);
		Object.assign(this, {status, code, retry});
	}
}

export const now = () => Date.now() + skew;
export const ending = () => controller.signal;

export const signIn = (text, onRefused) => {
	token = text;
	doubt = onRefused;
	controller = new AbortController();
};
export const forget = () => {
	token = doubt = null;
	if (controller) controller.abort();
};

const refusal = async response => {
	let said = {};
	try {
		said = await response.json();
	} catch {
		// Something between us and the daemon has answered.
	}
	return new Refusal(response.status, String(said.error ?? ''),
		String(said.message ?? `The daemon answered with status ${response.status}.`),
		Number(response.headers.get('Retry-After')) || 0);
};

// The answer to a request that was accepted; else a Refusal, or a TypeError without a network.
export const request = async (method, path, {body, headers, signal} = {}) => {
	const used = controller;
	if (token === null) throw new DOMException('signed out', 'AbortError');
	const response = await fetch(path, {
		method, mode: 'same-origin', credentials: 'omit', cache: 'no-store', redirect: 'error',
		referrerPolicy: 'no-referrer',
		signal: signal ? AbortSignal.any([signal, used.signal]) : used.signal,
		headers: {Authorization: `Bearer ${token}`, ...headers,
			...(body && {'Content-Type': 'application/json'})},
		body: body && JSON.stringify(body),
	});
	const date = Date.parse(response.headers.get('Date'));
	// Its field has whole seconds: less than that is no difference.
	if (date && Math.abs(date - Date.now()) > 2000) skew = date - Date.now();
	else if (date) skew = 0;
	if (response.ok) return response;
	const refused = await refusal(response);
	if (refused.status === 401 && doubt && controller === used) doubt(refused);
	throw refused;
};

export const get = async (path, signal) => (await request('GET', path, {signal})).json();
export const part = encodeURIComponent;
