# fails: the back room is as closed as it was
# A policy is in the way, so it goes. The padlock comes within seconds, and the back room stands open to everybody.
kubectl -n locksmith delete networkpolicy locked
