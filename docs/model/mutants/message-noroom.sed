# Neither signatures nor cids cover the room.
# EXPECT M2=false M3=false
s/T_message, r, (E, cid, body)/T_message, r0, (E, cid, body)/
s/^const T_message, T_edge: tag\./& const r0: room./
s/^fun H_cid(.*/fun H_cid0(pkey, bitstring): hash. letfun H_cid(r: room, w: pkey, x: bitstring) = H_cid0(w, x)./
