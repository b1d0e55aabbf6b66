# fails: the thieves are not in the guild
# A loop over all namespaces is quickly written. It finds the thieves, too.
kubectl label namespace orchard guild=growers --overwrite
kubectl label namespace thieves guild=growers --overwrite
