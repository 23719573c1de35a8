// SPDX-License-Identifier: MIT
// One lease: what it is, how to reach it, what happened to it, and what it cost.

import {get, part, request} from '/page/api.mjs';
import {both, chip, clock, command, facts, h, money, named, nothing, price, region, second, span, table} from '/page/dom.mjs';
import {machineOf, readLease, stateOf, tries} from '/page/views.mjs';

const EVENTS = 200;
const lives = lease => lease.state === 'active' || lease.state === 'provisioning';

const readEvents = async (id, events) => {
	const after = events.length ? events[events.length - 1].seq : 0;
	const answer = await get(`/v1/leases/${part(id)}/events?after=${after}&limit=${EVENTS}`);
	return {events: [...events, ...answer.events], hasMore: answer.events.length === EVENTS};
};

// The commands that a person would type; the slug stands for a living lease only.
const connect = lease => {
	if (lease.state !== 'active' || !lease.host) return null;
	const port = lease.sshPort === '22' ? '' : `-p ${lease.sshPort} `;
	return region('Connect',
		h('p', null, command(`lessor ssh ${lease.slug}`)),
		h('p', null, command(`ssh ${port}${lease.sshUser}@${lease.host}`)),
		lease.sshHostKey && h('p', {class: 'soft'}, 'Host key: ', h('code', {class: 'wrap'}, lease.sshHostKey)));
};

const acts = (lease, me) => ['user', 'admin'].includes(me.role) && lives(lease) && h('p', {class: 'acts', 'data-key': 'acts'},
	h('button', {type: 'button', 'data-act': 'extend', 'data-id': lease.id, 'aria-haspopup': 'dialog'}, 'Extend ', named(lease.slug)),
	h('button', {type: 'button', 'data-act': 'release', 'data-id': lease.id, 'aria-haspopup': 'dialog'}, 'Release ', named(lease.slug)));

const trouble = lease => [
	lease.attention && h('div', {class: 'alarm', 'data-key': 'attention'}, h('p', null, h('b', null, 'Needs a person: '), lease.attention),
		lease.attentionAction && h('p', null, command(lease.attentionAction))),
	lease.failureError && h('p', {class: 'alarm', 'data-key': 'failure'}, h('b', null, 'Failed: '), lease.failureError),
	!lives(lease) && lease.cleanup?.lastError && !lease.attention && h('p', {class: 'alarm warn', 'data-key': 'last'}, h('b', null, 'Last error of the cleanup: '), lease.cleanup.lastError),
	(lease.notices || []).map((n, i) => h('p', {class: 'alarm warn', 'data-key': `notice-${i}`}, n.message, '.'))];

const about = (lease, now) => facts([
	['State', stateOf(lease)], ['Lease', h('code', null, lease.id)], ['Owner', [named(lease.owner), lease.org && [', ', named(lease.org)]]],
	['Account', named(lease.provider)], ['Machine', machineOf(lease)], ['Class', lease.class && named(lease.class)],
	['Host', lease.host || (lease.lastHost && `${lease.lastHost} (until it ended)`)], ['Server', lease.cloudID && [named(lease.serverName), ` (${lease.cloudID})`]],
	['Image', lease.imageName && named(lease.imageName)], ['Created', both(lease.createdAt, now)], ['Ready', lease.readyAt && both(lease.readyAt, now)],
	['Ends', lives(lease) && both(lease.expiresAt, now)], ['Ends without a heartbeat for', lives(lease) && span(lease.idleTimeoutSeconds)],
	['Ended', lease.endedAt && [both(lease.endedAt, now), lease.endReason && `, ${lease.endReason}`]],
	['Queue', lease.queue && [`place ${lease.queue.place} of ${lease.queue.of}, gives up `, both(lease.queue.until, now)]],
	['Kept', lease.cleanup?.state === 'retained' && [lease.retention && chip('retained', lease.retention), lease.retainUntil && [' until ', clock(lease.retainUntil)], lease.retainReason && [': ', named(lease.retainReason)]]],
	['Cleanup', !lives(lease) && [lease.cleanup.state, lease.cleanup.tries > 0 && `, ${lease.cleanup.tries} ${lease.cleanup.tries === 1 ? 'try' : 'tries'}`, lease.cleanup.nextTryAt && [', next ', both(lease.cleanup.nextTryAt, now)]]],
	['Cost per hour', lease.hourlyPrice !== undefined && price(lease.hourlyPrice, lease.currency)],
	['Cost so far', lease.runningCost !== undefined && money(lease.runningCost, lease.currency)]]);

const timeline = data => region('Timeline', h('ol', {class: 'timeline'}, data.events.map(e => h('li', {'data-key': `e${e.seq}`},
	second(e.at), h('span', {class: 'kind'}, e.type), h('span', {class: 'what'}, named(e.message))))),
	data.hasMore && h('p', null, h('button', {type: 'button', 'data-act': 'events'}, 'More events')));

const resources = data => region('Resources', data.resources.length ? table('At the provider', ['Name', 'Kind', 'State', 'Id', 'Attempt', 'May still exist', 'Evidence'],
	data.resources.map(r => ({key: `row${r.row}`, cells: [named(r.name), r.kind, r.state, r.id || '–', String(r.attempt ?? '–'), r.residue ? 'yes' : 'no', r.evidence || '–']})), {isQuiet: true, level: 3}) :
	nothing('Nothing was made.'));

// ---- bills --------------------------------------------------------------------------------

const monthsOf = (lease, now) => {
	const found = [], end = new Date(lease.endedAt && lease.cleanup.state === 'done' ? lease.updatedAt : now);
	for (let at = new Date(lease.createdAt); found.length < 13; at = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1))) {
		if (at > end) break;
		found.push(at.toISOString().slice(0, 7));
	}
	return found;
};

// One line of CSV; a field in quotes has its quotes doubled.
const fields = line => [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(m => m[1] !== undefined ? m[1].replaceAll('""', '"') : m[2]);

// The usage of a month has a line for each machine; those of this lease are kept as it is read.
const readMonth = async (lease, me, month) => {
	const who = me.role === 'admin' ? `&scope=user&owner=${part(lease.owner)}&org=${part(lease.org)}` : '';
	const response = await request('GET', `/v1/usage?format=csv&month=${month}${who}`);
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	const found = [];
	let rest = '', names = null;
	for (;;) {
		const {value, done} = await reader.read();
		const lines = (rest + (value || (done ? '\n' : ''))).split(/\r?\n/);
		rest = lines.pop();
		for (const line of lines) {
			if (!names) names = fields(line);
			else if (line.includes(lease.id)) found.push({month, ...Object.fromEntries(fields(line).map((f, i) => [names[i], f]))});
		}
		if (done) return found.filter(bill => bill.lease === lease.id);
	}
};

export const readBills = async (data, me, now) => {
	const read = [];
	for (const month of monthsOf(data.lease, now)) read.push(...await readMonth(data.lease, me, month));
	data.bills = read;
};

const bills = data => region('Bills', data.bills === undefined ?
	h('p', {'data-key': 'ask'}, h('button', {type: 'button', 'data-act': 'bills'}, 'Show bills')) :
	data.bills.length ? table('Machines that were billed', ['Month', 'Machine', 'From', 'Until', 'Hours', 'Per hour', 'Amount'], data.bills.map((b, i) => ({key: `b${i}`, cells: [
		b.month, [b.type, b.location].filter(Boolean).join(' in '), clock(b.from), b.to ? clock(b.to) : 'may still exist', b.hours,
		price(Number(b.hourly_price), b.currency), money(Number(b.amount), b.currency)]})), {isQuiet: true, level: 3}) : nothing('Nothing was billed.'));

// ---- the view -----------------------------------------------------------------------------

export const lease = {
	title: data => data?.lease ? data.lease.slug || data.lease.id : 'Lease',
	async load({arg, old}) {
		const same = old?.lease?.id === arg ? old : null;
		const [found, told, ledger] = await Promise.all([readLease(arg), readEvents(arg, same?.events || []).catch(error => {
			if (error.status === 404) return {events: []};
			throw error;
		}), get(`/v1/leases/${part(arg)}/residue`).catch(error => {
			if (error.status === 404) return {resources: []};
			throw error;
		})]);
		if (!found) return {missing: `There is no lease ${arg} that this token may see.`};
		return {lease: found, ...told, resources: ledger.resources, bills: same?.bills};
	},
	async touch(data, id, context) {
		if (data.lease?.id === id) Object.assign(data, await lease.load({...context, old: data}));
	},
	more: async data => Object.assign(data, await readEvents(data.lease.id, data.events)),
	show(data, {me, now}) {
		const {lease: l} = data;
		return [acts(l, me), trouble(l), about(l, now), connect(l), timeline(data),
			(l.state === 'provisioning' || l.provisioningAttempts?.length > 0) && region('Attempts', tries(l)), resources(data), bills(data)];
	},
};
