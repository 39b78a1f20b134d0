package room

import (
	"fmt"
	"testing"
	"time"

	"coterie/room/record"
)

// TestJoinTellsLittle: who joins by one member is made known by the topic. A commit and its secret
// come before the join by some paths, and that is no reason for the members to tell each other all
// they know: on real hosts a join in a room of a hundred took forty times as much. Nor is it that
// the join comes during a comparison of two that have said they know the same.
func TestJoinTellsLittle(t *testing.T) {
	const size = 60
	n := newNetwork(t, 450)
	n.rewrite = func(_ *simNode, data []byte) []byte {
		if data[0] == record.FrameBeats {
			return nil
		}
		return data
	}
	all := grown(t, n, size)
	n.run(30 * time.Second)
	n.bytes = struct{ topic, plain, inside int }{}
	var new *simNode
	const joins = 5 // some of them while two compare
	for i := range joins {
		new = n.add(fmt.Sprint("new ", i), true)
		n.connect(new, all[7+i])
		all = append(all, new)
		n.until(5*time.Second, "the newcomer is in", func() bool { return together(all...) })
		n.run(1500 * time.Millisecond)
	}
	whole := 0
	for _, f := range record.EncodeRecords(new.room.records(true)) {
		whole += len(f)
	}
	t.Logf("%d bytes on streams, %d in channels, %d on the topic; all that is known is %d",
		n.bytes.plain, n.bytes.inside, n.bytes.topic, whole)
	if limit := 7 * whole * joins; n.bytes.plain+n.bytes.inside > limit {
		t.Errorf("%d bytes on streams and in channels, the limit is %d", n.bytes.plain+n.bytes.inside, limit)
	}
}
