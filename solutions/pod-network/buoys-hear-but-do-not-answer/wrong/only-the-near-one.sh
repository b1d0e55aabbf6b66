# fails: the station hears both buoys
# Asked to prefer endpoints of its own node, the station never hangs again. And never hears of the weather elsewhere.
kubectl -n buoys patch service buoy --type merge -p '{"spec":{"internalTrafficPolicy":"Local"}}'
