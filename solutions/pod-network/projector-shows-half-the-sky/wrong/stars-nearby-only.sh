# fails: the projector shows the whole sky
# Only the Pods of the projector's own node are asked, and there is none: the whole sky is dark.
kubectl -n planetarium patch service stars -p '{"spec":{"internalTrafficPolicy":"Local"}}'
