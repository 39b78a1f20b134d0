// Measures MLS (RFC 9420) as ts-mls has it, for scripts/bench: a commit in a group of n, at who makes
// it and at another member, and its bytes. One adds a member, and makes no new keys for the others;
// one does that alone.
//
//   node scripts/mls.mjs FOLDER SIZE...     FOLDER is where npm has installed ts-mls
//
// The tree is full: every second member has committed before, so that no node is blank, which is
// the best case of MLS. In a group whose members have only been added, a commit takes n
// encryptions.
import { pathToFileURL } from "node:url"
import { resolve } from "node:path"

const [folder, ...sizes] = process.argv.slice(2)
const mls = await import(pathToFileURL(resolve(folder, "node_modules/ts-mls/dist/src/index.js")))
const suite = await mls.getCiphersuiteImpl(mls.getCiphersuiteFromName("MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"))

const member = (name) =>
	mls.generateKeyPackage({ credentialType: "basic", identity: new TextEncoder().encode(name) },
		mls.defaultCapabilities(), mls.defaultLifetime, [], suite)
const add = (m) => ({ proposalType: "add", add: { keyPackage: m.publicPackage } })
const commit = (state, extraProposals = []) => mls.createCommit({ state, cipherSuite: suite }, { extraProposals })
const take = async (state, message) =>
	(await mls.processPrivateMessage(state, message.privateMessage, mls.emptyPskIndex, suite)).newState
const median = (all) => all.sort((a, b) => a - b)[all.length >> 1]

// timed returns what f does, and notes how long that took.
async function timed(times, f) {
	const began = performance.now()
	const result = await f()
	times.push(performance.now() - began)
	return result
}

for (const n of sizes.map(Number)) {
	const people = await Promise.all(Array.from({ length: n }, (_, i) => member(`p${i}`)))
	let founder = await mls.createGroup(new TextEncoder().encode("den"), people[0].publicPackage,
		people[0].privatePackage, [], suite)
	const first = await commit(founder, people.slice(1).map(add))
	founder = first.newState
	const committers = []
	for (let i = 2; i < n; i += 2) {
		committers.push(await mls.joinGroup(first.welcome, people[i].publicPackage, people[i].privatePackage,
			mls.emptyPskIndex, suite, founder.ratchetTree))
	}
	for (let i = 0; i < committers.length; i++) {
		const c = await commit(committers[i])
		committers[i] = c.newState
		founder = await take(founder, c.commit)
		for (let j = 0; j < committers.length; j++) {
			if (j !== i) committers[j] = await take(committers[j], c.commit)
		}
	}
	for (const [what, proposals] of [["add", async () => [add(await member("new"))]], ["update", async () => []]]) {
		const made = [], taken = []
		let bytes
		for (let run = 0; run < 21; run++) {
			const extra = await proposals()
			const c = await timed(made, () => commit(founder, extra))
			await timed(taken, () => take(committers.at(-1), c.commit))
			bytes = mls.encodeMlsMessage(c.commit).length
		}
		console.log(`${what} ${n}: make ${median(made).toFixed(2)} ms, take ${median(taken).toFixed(2)} ms, ${bytes} bytes`)
	}
}
