# fails: four sorters are ready
# All four anew. The two that worked give their addresses back, two of the four get them, and two wait as before.
kubectl -n parcels delete pod -l app=sorter
