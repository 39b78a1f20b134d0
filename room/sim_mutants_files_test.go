package room

func init() { mutants = append(mutants, mutantsOfFiles...) }

// mutantsOfFiles take out the rules of an authority's notices, of its files, and of the store.
var mutantsOfFiles = []mutant{
	// Notices: PROTOCOL.md §3.8.
	{"a piece that is being written is asked for again", "provider.go",
		`if f.have[i] || r.files.writing[h] {`, `if f.have[i] {`, "TestFileSlowDisk"},
	{"a piece that was written is of any file that names it", "fetch.go",
		`case !r.isHere(f.File, i): // its`, `case false: // its`, "TestFileLiesMeanwhile"},
	{"anybody makes notices", "../crypto/abe/notice.go",
		`case !ed25519.Verify(d.authority, n.input(), n.Signature[:]):`, `case false:`, "../crypto/abe TestVectorsNotices"},
	{"a notice of one domain is good in another", "../crypto/abe/notice.go",
		`case n.Domain != d.id:`, `case false:`, "../crypto/abe TestVectorsNotices|TestRevoked"},
	{"a notice has many encodings", "../crypto/abe/notice.go",
		` || i > 0 && serial <= n.Serials[i-1] {`, ` || i < 0 {`, "../crypto/abe TestVectorsNotices"},
	{"a notice names keys without end", "../crypto/abe/notice.go",
		`count == 0 || count > MaxRevoked {`, `count == 0 {`, "../crypto/abe TestVectorsNotices"},
	{"a signature of small order fits every notice", "../crypto/abe/notice.go",
		`new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 0`, `p != nil`,
		"../crypto/abe TestAuthorityKeys"},
	{"a key of an authority has many encodings", "../crypto/abe/notice.go",
		`bytes.Equal(p.Bytes(), b) &&`, `p != nil &&`, "../crypto/abe TestAuthorityKeys"},
	{"a revoked key still opens", "../crypto/abe/daypolicy.go",
		`wire{serialLabel, strconv.FormatUint(serial, 10), true}`, `wire{serialLabel, strconv.FormatUint(serial+1<<40, 10), true}`,
		"../crypto/abe TestRevoked"},
	{"a notice of today is below one of yesterday", "../crypto/abe/period.go",
		`return Period(uint64(notice)<<32 | uint64(d))`, `return Period(uint64(d)<<32 | uint64(notice))`,
		"../crypto/abe TestPeriods"},

	// The authority's files.
	{"a new notice lets in whom the last one put out", "../kms/revoke.go",
		`if s == 0 || s >= l.next() || !lapsed(l.issues[s-1], today) {`, `if false {`, "../kms TestRevoke"},
	{"an old ledger takes back a newer notice", "../kms/revoke.go",
		`if beside != nil && beside.Number > last {`, `if false {`, "../kms TestRevoke.*"},
	{"a notice by a clock set back counts for nothing", "../kms/revoke.go",
		`at := uint32(max(now.Unix(), int64(last)+1))`, `at := uint32(now.Unix())`, "../kms TestRevoke.*"},
	{"a number is given before it is on record", "../kms/issue.go",
		`	if err := l.append(rand, e); err != nil {
		file.Discard()
		return nil, err
	}
	return &draft`, `	if err := l.apply(e); err != nil {
		return nil, err
	}
	return &draft`, "../kms TestIssuedKeyIsOnRecord|TestCrashes"},
	{"a key that was never written keeps its number", "../kms/issue.go",
		`voided := l.append(rand, void) == nil`, `voided := void != nil`, "../kms TestNotWritten"},
	{"a clock set back is not noticed", "../kms/issue.go",
		`!a.ClockIsRight && now.Add(clockSlack).Before(last)`, `false`, "../kms TestClockSetBack"},
	{"a key may last longer than its domain allows", "../kms/issue.go",
		`l.limit != 0 && r.Expires > r.From && days > l.limit`, `false`, "../kms TestLimit"},
	{"a torn key is given its name", "../kms/leftover.go",
		`sha256.Sum256(data) == issue.File`, `len(data) > 0`, "../kms TestCrashes|TestUnfinished.*|TestBatchCrash"},
	{"a key of an interrupted run is given to another", "../kms/leftover.go",
		`if !i.r.matches(issue) {`, `if false {`, "../kms TestUnfinishedKeyOfAnother"},
	{"a backup replaces a longer one", "../kms/backup.go",
		`if err := a.checkOlder(l, to, open); err != nil {
		return nil, err
	}`, ``, "../kms TestBackup.*|TestRestore.*"},
	{"a backup replaces another's master key", "../kms/backup.go",
		`if err := a.checkMaster(to, open); err != nil {
		return err
	}`, ``, "../kms TestBackupKeepsOthersMaster"},
	{"restoring overwrites a master key", "../kms/backup.go",
		`err = keyfile.WriteSecret(to.Master(), c.master)`, `err = keyfile.Replace(to.Master(), c.master, 0o600)`,
		"../kms TestRestore.*|TestBackup.*"},
	{"restoring overwrites a longer ledger", "../kms/backup.go",
		`case !errors.As(err, &ahead):
		return err
	}
	if`, `}
	_ = ahead
	if`, "../kms TestRestoreOverwritesNothingLonger"},
	{"a damaged ledger is overwritten by a shorter one", "../kms/backup.go",
		`if err == nil && o.Entries > len(c.ledger.chain) {`, `if err != nil {`, "../kms TestRestoreOverwritesNothingLonger"},
	{"what is forgotten stays in the ledger", "../kms/changes.go",
		`e.person = person{form: personForgotten, commitment: e.person.commit()}`, `e.time += 0`, "../kms TestForget"},
	{"a passphrase is bytes", "../kms/keyfile/passphrase.go",
		`[]string{norm.NFC.String(typed), typed, norm.NFD.String(typed)}`, `[]string{typed}`,
		"../kms/keyfile TestPassphraseIsLetters"},
	{"links are replaced", "../kms/keyfile/write.go",
		`if err != nil || info.Mode()&fs.ModeSymlink == 0 {`, `if true || err != nil || info.Mode() == 0 {`,
		"../kms TestLinkedFiles"},
	{"a file is overwritten", "../kms/keyfile/write.go",
		`err := os.Link(temp, path)`, `err := os.Rename(temp, path)`, "../kms/keyfile TestCommitNeverOverwrites|TestWritersRace"},
	{"loose modes are taken", "../kms/keyfile/read.go",
		`	if err := CheckPrivate(path, info); err != nil {
		clear(data)
		return nil, err
	}`, `	_ = info`, "../kms/keyfile TestLoosePermissions"},

	// What is kept on disk.
	{"records of a log can be swapped", "../node/store/log.go",
		`if r.entry.Arrival != seq || len(batch) > 0 && r.left != batch[len(batch)-1].left-1 {`, `if false {`,
		"../node/store TestLogDamaged|TestDamageInOnePlace|TestFlippedBytes"},
	{"a part of a batch is taken", "../node/store/log.go",
		`batch = append(batch, r); r.left > 0 {`, `batch = append(batch, r); r.left > maxLog {`, "../node/store TestCrashInWrite|TestLogDamaged"},
	{"damage is taken for the end of a log", "../node/store/log.go",
		`return zeros(rest[:min(len(rest), 2*diskBlock)])`, `return true`, "../node/store TestFlippedBytes|TestLogDamaged"},
	{"what was written for good can be cut off", "../node/store/open.go",
		`if int64(good) < s.st.durable {`, `if false {`, "../node/store TestCutAfterClose"},
	{"what is forgotten stays in its file", "../node/store/keep.go",
		`	for _, g := range group {
		if removeErr`, `	for _, g := range group[:0] {
		if removeErr`, "../node/store TestForgottenIsErased"},
	{"an erased room's lock keeps nobody out", "../node/store/files.go",
		`for err = lock(f); err == nil && !named(f, beside); err = lock(f) {`, `for err = lock(f); false; {`,
		"../node/store TestLockOfAnErasedRoom"},
	{"files that others may read are taken", "../node/store/files.go",
		`err = keyfile.CheckPrivate(path, info)`, `_ = info`, "../node/store TestPrivate"},
	{"a key is drawn anew beside a history", "../node/store/datakey.go",
		`if _, err := os.Lstat(path); err == nil {`, `if false {`, "../node/store TestDataKey"},

	// Files that members send: PROTOCOL.md §9.9, §11.6.
	{"a piece is taken whatever it hashes to", "fetch.go",
		`case ake.PieceHash(piece) != h:`, `case false:`, "TestFileGarbage"},
	{"who serves garbage is asked again at once", "fetch.go",
		`r.pauseSeeking(x, garbageTime)`, ``, "TestFileGarbage"},
	{"those of one branch take all streams for pieces", "provider.go",
		`len(open) < maxSeeking && len(of[p.branch]) < maxSeekingBranch`, `len(open) < maxSeeking`, "TestFileSlow"},
	{"who is slow keeps their place", "provider.go", `if x == nil {`, `if x == nil || true {`, "TestFileSlots"},
	{"who is slow is asked as soon as others", "provider.go", `differ(b.fast, a.fast)`, `0`, "TestFileSlots"},
	{"members that one makes up are asked before others", "provider.go",
		`r.files.askedBranch[a.branch].Compare(r.files.askedBranch[b.branch])`, `0`, "TestFileSlots"},
	{"pieces without end wait for the disk", "provider.go",
		` || len(r.files.asking) >= maxAsking`, ``, "TestFileSlowDisk"},
	{"what belongs to no message stays on disk", "keepfiles.go",
		`r.diskTask(func() any { return r.cfg.Pieces.Sweep(keep) }`, `r.diskTask(func() any { return nil }`,
		"TestSimulateFiles"},
	{"what is withdrawn before it is noted is fetched", "files.go",
		` || r.withdrawn(id, t.List[index].Identity)`, ``, "TestSimulateFiles"},
	{"who is too busy for a moment is left alone for long", "fetch.go",
		`r.pauseSeeking(x, laterTime)`, `r.pauseSeeking(x, 100*garbageTime)`, "TestSimulateFiles"},
	{"pieces of no message are served", "fetch.go",
		`has := r.files.refs[h].files > 0 && r.cfg.Pieces.Length(h) > 0`, `has := r.cfg.Pieces.Length(h) > 0`, "TestFileStrangers"},
	{"pieces are served without a pace", "fetch.go",
		`if slices.ContainsFunc(paces, func(p *pace) bool { return p.tokens < ake.MaxPiece }) {`, `if false {`,
		"TestFileServedPace"},
	{"members that one makes up are served all there is", "fetch.go",
		`r.now, servedBranchRate, servedBranchAtOnce)`, `r.now, allServedRate, allServedAtOnce)`, "TestFileServedBranch"},
	{"whatever is sent is fetched unasked", "files.go",
		`small := in.Size <= MaxUnasked`, `small := true`, "TestLargeFile"},
	{"files are fetched unasked without a pace", "files.go",
		`if min(p.tokens, r.files.all.tokens) < float64(size) ||`, `if`, "TestFileFlood"},
	{"a branch takes all the room for files", "keepfiles.go",
		`overHalf := !asked && unasked[branch]+cost > fs.limit/2`, `overHalf := false`, "TestFileGivesWay"},
	{"a file stays when its message goes", "shorten.go",
		`r.forgetFiles(func(f *file) bool { return f.ref.t == t && f.ref.index == index && f.ref.counter <= l.gone })`, ``,
		"TestFileGoes"},
	{"anybody withdraws a file", "files.go",
		`f.ref.t != nil && f.author() == by {`, `f.ref.t != nil {`, "TestFileGoes"},
	{"a file takes more than it is charged for", "fetch.go",
		`case length == f.PieceLength(i)+ake.PieceOverhead:`, `case true:`, "TestFileLies"},
	{"a piece is kept for who says that it is shorter", "keepfiles.go",
		`n != 0 && n != f.PieceLength(i)`, `n != 0 && i < 0`, "TestFileLiesBeside"},
	{"what is on the disk is taken as whatever a message says", "keepfiles.go",
		`r.cfg.Pieces.Length(f.Hashes[i]) == f.PieceLength(i)+ake.PieceOverhead`, `r.cfg.Pieces.Length(f.Hashes[i]) > 0`,
		"TestFileCutShort"},
	{"a file has one piece twice", "record/file.go", `if seen[h] {`, `if false {`, "./record TestPieceTwice"},
	{"another's copy has a file go", "keepfiles.go",
		`if ref.files--; ref.files > 0 {`, `if ref.files--; false {`, "TestFileShared"},
}
