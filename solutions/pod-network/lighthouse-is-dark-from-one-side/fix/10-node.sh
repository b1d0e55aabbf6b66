podwalk node "$WORKER" -- ip rule del pref "$LAB_PREF"
