package node

import (
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
)

// A peer's score is minus the square of how many publications it has brought that
// have not even the form of one, as far as they are not forgotten. It is never
// above zero: nobody earns the right to bring more.
//
// Nothing else counts. Who brings nothing may have nothing to bring in a calm room
// (mesh deliveries), and a whole room may be behind one address (colocation). And
// only that is held against a forwarder which each forwarder can refuse from the
// bytes alone: otherwise whoever makes garbage of a better kind would have honest
// relays scored down.
const (
	forgetInvalid = 10 * time.Minute // until what was invalid is forgotten
	// Below zero a peer is in nobody's mesh.
	gossipScore   = -16  // four: it is told of no publications
	publishScore  = -64  // eight: it is sent none
	graylistScore = -256 // sixteen: nothing that it sends is looked at
)

// scoring turns gossipsub's scores on. Each topic also needs topicScore.
func scoring() pubsub.Option {
	return pubsub.WithPeerScore(&pubsub.PeerScoreParams{
		SkipAtomicValidation: true, // what is not set is off
		Topics:               make(map[string]*pubsub.TopicScoreParams),
		DecayInterval:        pubsub.DefaultDecayInterval,
		DecayToZero:          pubsub.DefaultDecayToZero,
		RetainScore:          forgetInvalid, // connecting again forgets nothing
	}, &pubsub.PeerScoreThresholds{
		GossipThreshold:   gossipScore,
		PublishThreshold:  publishScore,
		GraylistThreshold: graylistScore,
	})
}

func topicScore() *pubsub.TopicScoreParams {
	return &pubsub.TopicScoreParams{
		SkipAtomicValidation:           true,
		TopicWeight:                    1,
		TimeInMeshQuantum:              time.Second, // it divides by it, although the weight is 0
		InvalidMessageDeliveriesWeight: -1,
		InvalidMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(forgetInvalid),
	}
}
