# fails: the orchard brings its apples to the press
# The policy wants guild=growers, so the cart gets it, once more and for certain. It had it all along.
kubectl -n orchard label pod cart guild=growers --overwrite
