// A js-libp2p peer on the topics of coterie: it forwards what is said in the rooms of those
// who connect, carries their connections (circuit relay) and answers who else is there
// (PROTOCOL.md, "/coterie/2/peers"). It prints its addresses, and then a line for each
// publication that it forwards. It ends when its standard input does.
import { createHash } from 'node:crypto'

// Node 20 does not have it yet.
Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new this((a, b) => { resolve = a; reject = b })
  return { promise, resolve, reject }
}
const { createLibp2p } = await import('libp2p')
const { tcp } = await import('@libp2p/tcp')
const { noise } = await import('@chainsafe/libp2p-noise')
const { yamux } = await import('@chainsafe/libp2p-yamux')
const { identify } = await import('@libp2p/identify')
const { gossipsub } = await import('@libp2p/gossipsub')
const { circuitRelayServer } = await import('@libp2p/circuit-relay-v2')

const prefix = 'coterie/2/'
const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
  services: {
    identify: identify(),
    relay: circuitRelayServer({ reservations: { maxReservations: 64, applyDefaultLimit: false } }),
    pubsub: gossipsub({
      globalSignaturePolicy: 'StrictNoSign',
      emitSelf: false,
      allowPublishToZeroTopicPeers: true,
      maxInboundDataLength: 400 * 1024,
      msgIdFn: m => createHash('sha256').update(m.data).digest()
    })
  }
})
const { pubsub } = node.services
pubsub.addEventListener('subscription-change', e => {
  for (const s of e.detail.subscriptions) {
    if (s.subscribe && s.topic.startsWith(prefix) && !pubsub.getTopics().includes(s.topic)) pubsub.subscribe(s.topic)
  }
})
pubsub.addEventListener('message', e => console.log('FORWARDED', e.detail.data.length))

await node.handle('/coterie/2/peers', async (a, b) => {
  const stream = a.stream ?? a
  const from = (a.connection ?? b).remotePeer
  try {
    const chunks = []
    let size = 0
    for await (const c of stream) {
      const chunk = c.subarray()
      chunks.push(chunk)
      if ((size += chunk.length) >= 32) break
    }
    const answer = []
    let asks = false
    for (const p of pubsub.getSubscribers(prefix + Buffer.concat(chunks).subarray(0, 32).toString('hex'))) {
      const id = p.toMultihash().bytes
      if (p.equals(from)) asks = true
      else answer.push(Buffer.from([id.length]), Buffer.from(id))
    }
    if (asks) stream.send(Buffer.concat(answer))
    await stream.close()
  } catch (e) {
    console.log('FAILED', e.message)
  }
}, { runOnLimitedConnection: true })

console.log('ADDR', ...node.getMultiaddrs().map(String))
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
