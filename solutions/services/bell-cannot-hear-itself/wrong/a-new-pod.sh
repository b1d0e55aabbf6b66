# fails: the bell hears itself thirty times in a row
# Turn it off and on again. The new Pod gets a new cable, plugged in just as the old one was.
kubectl -n belfry rollout restart deployment bell
kubectl -n belfry rollout status deployment bell --timeout 120s
