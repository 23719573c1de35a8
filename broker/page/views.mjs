// SPDX-License-Identifier: MIT
// The views of many leases, of accounts and of money. A view has a title, what it reads (load),
// what it shows of that (show), and perhaps how one lease that has changed is brought in (touch).

import {Refusal, get, part} from '/page/api.mjs';
import {address, bytes, chip, command, facts, h, money, named, nothing, price, region,
	relative, sums, table} from '/page/dom.mjs';

const PAGE = 50;
const ATTEMPTS_MOST = 10; // provisioning leases whose attempts are read

// ---- what several views know --------------------------------------------------------------

const lives = lease => lease.state === 'active' || lease.state === 'provisioning';
export const isOver = lease => !lives(lease) && ['done', 'none'].includes(lease.cleanup?.state);
const isQueued = lease => lease.state === 'provisioning' && lease.queue;

export const stateOf = lease => {
	if (lease.attention) return chip('attention', 'needs a person');
	if (isQueued(lease)) return chip('waiting', `waiting, ${lease.queue.place} of ${lease.queue.of}`);
	if (lives(lease) || isOver(lease)) return chip(lease.state);
	return chip(lease.cleanup.state, {owed: `${lease.state}, cleanup owed`,
		retained: `${lease.state}, kept`}[lease.cleanup.state] || lease.state);
};

export const leaseLink = lease => h('a', {href: address('lease', lease.id)}, named(lease.slug || lease.id));
export const machineOf = lease => [lease.serverType || lease.class, lease.region].filter(Boolean).join(' in ') || '–';

export const tries = lease => {
	const list = lease.provisioningAttempts || [];
	return list.length ? h('ol', {class: 'tries'}, list.map(a => h('li', null,
		h('b', null, [a.serverType, a.region].filter(Boolean).join(' in ')), ': ', a.category || 'refused',
		a.message && h('span', {class: 'soft'}, ` – ${a.message}`)))) : 'nothing was refused so far';
};

// A list of leases, page by page.
const list = async (query, old) => {
	const answer = await get(`/v1/leases?limit=${PAGE}&${query}${old ? `&before=${part(old.next)}` : ''}`);
	return {query, leases: [...(old?.leases || []), ...answer.leases], next: answer.nextBefore};
};
// As many as are shown already.
const again = async (query, old) => {
	let found = await list(query);
	while (found.next && old?.query === query && found.leases.length < old.leases.length && found.leases.length < 500)
		found = await list(query, found);
	return found;
};
const more = (name, lists, what) => lists[name].next && h('p', null, h('button', {
	type: 'button', 'data-act': 'more', 'data-list': name}, `More ${what}`));
export const readMore = async (data, name) => {
	data.lists[name] = await list(data.lists[name].query, data.lists[name]);
};

// Puts a lease that has changed into a list, where it was or in front, or takes it out.
const put = (found, lease, belongs) => {
	const at = found.leases.findIndex(l => l.id === lease.id);
	if (at >= 0 && belongs) found.leases[at] = {...lease};
	else if (at >= 0) found.leases.splice(at, 1);
	else if (belongs) found.leases.unshift(lease);
};

export const readLease = async id => {
	try {
		return (await get(`/v1/leases/${part(id)}`)).lease;
	} catch (error) {
		if (error instanceof Refusal && error.status === 404) return null;
		throw error;
	}
};

// ---- at a glance --------------------------------------------------------------------------

const SCOPES = {admin: 'total', reader: 'org', user: 'owner'};

// The usage of a month adds up all its leases: once a minute is enough.
const USAGE_MS = 60000;
const readUsage = async (me, old) => {
	if (old && performance.now() - old.usageAt < USAGE_MS) return {usage: old.usage, usageAt: old.usageAt};
	const {usage: read} = await get(`/v1/usage${me.role === 'admin' ? '?scope=all' : ''}`);
	return {usage: read, usageAt: performance.now()};
};

export const readGlance = async (me, old) => {
	const [capacity, usage, attention, queue, accounts] = await Promise.all([
		get('/v1/capacity'), readUsage(me, old), get(`/v1/leases?attention=true&limit=${PAGE}`),
		get('/v1/queue'), get('/v1/providers')]);
	const own = capacity.scopes?.find(s => s.scope === (SCOPES[me.role] || 'org')) || capacity.scopes?.[0] || {};
	return {capacity, ...usage, own, accounts: accounts.providers, queue,
		attention: attention.leases, isMany: Boolean(attention.nextBefore)};
};
export const attentionCount = glance => `${glance.attention.length}${glance.isMany ? '+' : ''}`;

const outOf = (used, max) => max ? `${used} of ${max}` : String(used);

const glanceShow = (glance, starting) => h('section', {'aria-label': 'At a glance', 'data-key': 'glance'}, facts([
	['Leases', outOf(glance.own.used ?? 0, glance.own.max)],
	['Cost per hour', glance.own.hourlyPrice ? price(glance.own.hourlyPrice, glance.capacity.currency) : '0'],
	['This month so far', glance.usage.costs?.length ? sums(glance.usage.costs, 'amount') : '0'],
	['Starting', String(starting)],
	['Need a person', attentionCount(glance)],
	['Waiting', String(glance.queue.queue.length)],
], 'tiles'));

const daemonPause = capacity => capacity.paused && h('p', {class: 'alarm warn', 'data-key': 'paused'},
	'Nothing new is created: the broker is paused', capacity.pausedReason && [': ', named(capacity.pausedReason)], '.');

const alarms = glance => {
	const bad = glance.accounts.filter(a => a.blocked || a.fenced);
	return [daemonPause(glance.capacity),
		glance.attention.length > 0 && h('p', {class: 'alarm', 'data-key': 'a-leases'},
			h('a', {href: '/#attention'}, `${attentionCount(glance)} ${glance.attention.length === 1 && !glance.isMany ? 'lease needs' : 'leases need'} a person`),
			': ', glance.attention.slice(0, 3).map((l, i) => [i ? ', ' : '', named(l.slug)]), glance.attention.length > 3 && ', …'),
		bad.length > 0 && h('p', {class: 'alarm', 'data-key': 'a-accounts'},
			h('a', {href: '/#accounts'}, bad.length === 1 ? 'An account cannot be used' : `${bad.length} accounts cannot be used`),
			': ', bad.map((a, i) => [i ? ', ' : '', named(a.name)]))];
};

// ---- leases -------------------------------------------------------------------------------

const startingRow = (lease, now) => ({key: lease.id, cells: [
	[leaseLink(lease)], stateOf(lease), named(lease.owner), machineOf(lease), relative(lease.createdAt, now), isQueued(lease) ? 'waits for capacity' : tries(lease)]});

const leaseRow = (lease, now) => ({key: lease.id, cells: [
	[leaseLink(lease), h('span', {class: 'id'}, lease.id)], stateOf(lease), named(lease.owner), machineOf(lease),
	lives(lease) ? relative(lease.expiresAt, now) : ['ended ', relative(lease.endedAt, now)],
	isOver(lease) ? '–' : price(lease.hourlyPrice, lease.currency)]});

export const leases = {
	title: () => 'Leases',
	async load({old, choice}) {
		const query = choice.show === 'all' ? '' : 'view=current';
		const [shown, starting] = await Promise.all([
			again(query, old?.lists.shown), again('state=provisioning', old?.lists.starting)]);
		await Promise.all(starting.leases.slice(0, ATTEMPTS_MOST).map(async (lease, i) => {
			starting.leases[i] = await readLease(lease.id) || lease;
		}));
		return {lists: {shown, starting}, isAll: choice.show === 'all'};
	},
	async touch(data, id) {
		const lease = await readLease(id);
		if (!lease) return;
		put(data.lists.starting, lease, lease.state === 'provisioning');
		put(data.lists.shown, lease, data.isAll || !isOver(lease));
	},
	show(data, {glance, now}) {
		const {shown, starting} = data.lists;
		const rows = shown.leases.filter(l => data.isAll || l.state !== 'provisioning');
		return [
			glance && glanceShow(glance, `${starting.leases.length}${starting.next ? '+' : ''}`),
			glance && alarms(glance),
			starting.leases.length > 0 && table('Starting', ['Lease', 'State', 'Owner', 'Machine', 'Since', 'Tried'],
				starting.leases.map(l => startingRow(l, now))),
			more('starting', data.lists, 'that start'),
			h('p', {class: 'tools', 'data-key': 'tools'}, h('label', {for: 'show'}, 'Show '),
				h('select', {id: 'show', 'data-choice': 'show'},
					h('option', {value: 'current', selected: !data.isAll}, 'Current'),
					h('option', {value: 'all', selected: data.isAll}, 'Ended, too'))),
			rows.length ? table('Leases', ['Lease', 'State', 'Owner', 'Machine', 'Ends', 'Cost per hour'],
				rows.map(l => leaseRow(l, now)), {isQuiet: !starting.leases.length}) :
				nothing(data.isAll ? 'There is no lease yet.' : 'Nothing is leased now. A developer leases a machine with lessor create.'),
			more('shown', data.lists, 'leases')];
	},
};

// ---- attention ----------------------------------------------------------------------------

const QUERIES = {attention: 'attention=true', owed: 'cleanup=owed', retained: 'cleanup=retained'};

const attentionRow = lease => ({key: lease.id, cells: [[leaseLink(lease), h('span', {class: 'id'}, lease.id)], stateOf(lease), named(lease.owner),
	[lease.attention || '–'], lease.attentionAction ? command(lease.attentionAction) : '–']});
const owedRow = (lease, now) => ({key: lease.id, cells: [[leaseLink(lease), h('span', {class: 'id'}, lease.id)], stateOf(lease), named(lease.owner),
	['ended ', relative(lease.endedAt, now)], String(lease.cleanup.tries ?? 0), relative(lease.cleanup.nextTryAt, now), lease.cleanup.lastError || '–']});
const keptRow = (lease, now) => ({key: lease.id, cells: [[leaseLink(lease), h('span', {class: 'id'}, lease.id)], lease.retention ? chip('retained', lease.retention) : '–',
	named(lease.owner), lease.retainUntil ? relative(lease.retainUntil, now) : 'until somebody ends it', lease.retainReason ? named(lease.retainReason) : '–',
	lease.runningCost !== undefined ? money(lease.runningCost, lease.currency) : '–', command(`lessor release ${lease.id} --delete`)]});

export const attention = {
	title: () => 'Attention',
	async load({old}) {
		const names = Object.keys(QUERIES);
		const read = await Promise.all(names.map(name => again(QUERIES[name], old?.lists[name])));
		const lists = Object.fromEntries(names.map((name, i) => [name, read[i]]));
		return {lists};
	},
	async touch(data, id) {
		const lease = await readLease(id);
		if (!lease) return;
		for (const name of Object.keys(QUERIES))
			put(data.lists[name], lease, name === 'attention' ? Boolean(lease.attention) : lease.cleanup.state === name);
	},
	show({lists}, {now, glance}) {
		const owed = lists.owed.leases.filter(l => !l.attention);
		const bad = (glance?.accounts || []).filter(a => a.blocked || a.fenced || a.frozen || a.paused);
		return [
			bad.length > 0 && table('Accounts that do not work normally', ['Account', 'State', 'Reason'],
				bad.map(a => ({key: `account-${a.name}`, cells: [named(a.name), accountState(a), [a.message]]}))),
			lists.attention.leases.length ? table('Need a person', ['Lease', 'State', 'Owner', 'Reason', 'Command'],
				lists.attention.leases.map(attentionRow)) :
				region('Need a person', nothing('No lease needs a person.')),
			more('attention', lists, 'that need a person'),
			owed.length ? table('Cleanup is owed', ['Lease', 'State', 'Owner', 'Ended', 'Tries', 'Next try', 'Last error'],
				owed.map(l => owedRow(l, now))) : region('Cleanup is owed', nothing('Nothing is waiting to be cleaned up.')),
			more('owed', lists, 'that are owed'),
			lists.retained.leases.length ? table('Kept on purpose', ['Lease', 'Protection', 'Owner', 'Until', 'Reason', 'Cost so far', 'Command'],
				lists.retained.leases.map(l => keptRow(l, now))) :
				region('Kept on purpose', nothing('No machine is kept after its lease.')),
			more('retained', lists, 'that are kept')];
	},
};

// ---- accounts -----------------------------------------------------------------------------

const accountState = account => account.fenced ? chip('fenced') : account.blocked ? chip('blocked') :
	account.frozen ? chip('frozen') : account.paused ? chip('paused') :
	account.provenAt || account.daemon === 'other' ? chip('ok', 'in use') : chip('none', 'not verified yet');

const accountRow = (account, now) => ({key: account.name, cells: [
	[named(account.name), h('span', {class: 'id'}, account.plugin)], accountState(account),
	(account.locations || []).join(', ') || '–',
	account.requestsLeft ?? '–', account.generation ?? '–', account.daemon === 'self' ? 'this daemon' : account.daemon === 'other' ? 'another daemon' : 'no daemon',
	relative(account.provenAt, now), [account.message]]});

const NAMES = {owner: 'You', org: 'Your organisation', total: 'All'};
const limitRow = (scope, currency) => ({key: `${scope.scope}-${scope.provider || ''}`, cells: [
	scope.provider ? ['Account ', named(scope.provider)] : NAMES[scope.scope] || scope.scope, outOf(scope.used, scope.max),
	[price(scope.hourlyPrice, currency), scope.maxHourlyPrice && ` of ${price(scope.maxHourlyPrice, currency)}`],
	scope.monthlyCost === undefined ? '–' : [money(scope.monthlyCost, currency), scope.maxMonthlyCost && ` of ${money(scope.maxMonthlyCost, currency)}`]]});

export const accounts = {
	title: () => 'Accounts',
	async load({me}) {
		const [providers, capacity, daemons] = await Promise.all([get('/v1/providers'), get('/v1/capacity'),
			me.role === 'admin' ? get('/v1/daemons') : null]);
		return {providers: providers.providers, capacity, daemons: daemons?.daemons || []};
	},
	show({providers, capacity, daemons}, {now}) {
		return [daemonPause(capacity),
			table('Accounts', ['Account', 'State', 'Locations', 'Requests left', 'Generation', 'Looked after by', 'Last verified', 'Message'],
				providers.map(a => accountRow(a, now)), {isQuiet: true}),
			table('Limits', ['Of', 'Leases', 'Cost per hour', 'This month, as limits count it'], (capacity.scopes || []).map(s => limitRow(s, capacity.currency))),
			daemons.length > 1 && table('Daemons', ['Daemon', 'State', 'Address', 'Version', 'Started', 'Seen'], daemons.map(d => ({key: d.id, cells: [
				[d.id, d.self && h('span', {class: 'id'}, 'this one')], d.alive ? chip('ok', 'alive') : chip('failed', 'not seen'), d.address || '–', d.version,
				relative(d.startedAt, now), relative(d.seenAt, now)]})))];
	},
};

// ---- the queue ----------------------------------------------------------------------------

const BECAUSE = {owner: 'the owner\'s limit', org: 'the organisation\'s limit', account: 'the account\'s limit', total: 'the limit of all', queue: 'those before it'};

export const queue = {
	title: () => 'Queue',
	load: () => get('/v1/queue'),
	show(data, {now}) {
		return [
			data.queue.length ? table('Waiting', ['Lease', 'Place', 'Owner', 'Account', 'Stopped by', 'Since', 'Gives up'], data.queue.map(l => ({key: l.id, cells: [
				leaseLink(l), `${l.place} of ${l.of}`, named(l.owner), named(l.provider), BECAUSE[l.scope] || l.scope, relative(l.since, now), relative(l.until, now)]})), {isQuiet: true}) :
				nothing('No lease waits for capacity.'),
			data.accounts.length > 0 && table('By account', ['Account', 'Waiting'], data.accounts.map(a => ({key: a.provider, cells: [named(a.provider), String(a.waiting)]})))];
	},
};

// ---- usage --------------------------------------------------------------------------------

const GROUPS_MOST = 100;
const hours = seconds => `${Math.round((seconds || 0) / 3600)} h`;
const months = now => Array.from({length: 13}, (_, i) => {
	const day = new Date(now);
	return new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() - i, 1)).toISOString().slice(0, 7);
});
const groupTable = (caption, name, sumsOf) => sumsOf?.length > 0 && table(caption, [name, 'Leases', 'Machines', 'Billed time', 'So far', 'With live leases to their end'],
	sumsOf.slice(0, GROUPS_MOST).map(s => ({key: s.key, cells: [named(s.key || '(none)'), String(s.leases), String(s.servers), hours(s.billedSeconds),
		sums(s.costs, 'amount'), sums(s.costs, 'reserved')]})));

export const usage = {
	title: () => 'Usage',
	async load({me, choice, now}) {
		const month = choice.month || months(now)[0];
		const scope = me.role === 'admin' ? '&scope=all' : '';
		return {month, usage: (await get(`/v1/usage?month=${part(month)}${scope}`)).usage};
	},
	show({month, usage: u}, {now}) {
		return [
			h('p', {class: 'tools', 'data-key': 'tools'}, h('label', {for: 'month'}, 'Month '), h('select', {id: 'month', 'data-choice': 'month'},
				months(now).map(m => h('option', {value: m, selected: m === month}, m)))),
			facts([['So far', sums(u.costs, 'amount')], ['With live leases to their end', sums(u.costs, 'reserved')], ['Leases', String(u.leases)],
				['Machines', String(u.servers)], ['Billed time', hours(u.billedSeconds)], ['Without a price', u.unpriced > 0 && String(u.unpriced)]], 'tiles'),
			groupTable('By owner', 'Owner', u.byOwner), groupTable('By organisation', 'Organisation', u.byOrg),
			groupTable('By account', 'Account', u.byProvider), groupTable('By server type', 'Server type', u.byServerType),
			h('p', {class: 'soft', 'data-key': 'note'}, 'Whole units, such as started hours, of every machine from its creation until it is proven gone. Limits also count what is kept, or cannot be deleted, to the end of the month. Months are in UTC.')];
	},
};

// ---- runs ---------------------------------------------------------------------------------

const RUNS_MOST = 500;
export const wordsOf = run => (run.command || []).join(' ') || run.label || run.id;

export const runs = {
	title: () => 'Runs',
	async load({old}) {
		const count = old?.count || PAGE;
		return {count, runs: (await get(`/v1/runs?limit=${count}`)).runs};
	},
	async more(data) {
		data.count = Math.min(data.count + PAGE, RUNS_MOST);
		data.runs = (await get(`/v1/runs?limit=${data.count}`)).runs;
	},
	show({runs: found, count}, {now}) {
		return [
			found.length ? table('Runs', ['Run', 'State', 'Command', 'Owner', 'Lease', 'Started', 'Log'], found.map(r => ({key: r.id, cells: [
				h('a', {href: `/portal/runs/${part(r.id)}`}, r.id), chip(r.state), h('code', {class: 'cut'}, wordsOf(r).slice(0, 200)), named(r.owner),
				r.leaseID ? h('a', {href: address('lease', r.leaseID)}, named(r.slug || r.leaseID)) : '–', relative(r.startedAt, now), bytes(r.logBytes || 0)]})), {isQuiet: true}) :
				nothing('There is no run yet.'),
			found.length === count && count < RUNS_MOST && h('p', null, h('button', {type: 'button', 'data-act': 'runs'}, 'More runs'))];
	},
};
