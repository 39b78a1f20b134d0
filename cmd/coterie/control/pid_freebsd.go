package control

func peerPID(int) int { return 0 }
