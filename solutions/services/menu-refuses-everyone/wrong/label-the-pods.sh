# fails: a Pod made tomorrow is found as well
# The quickest repair there is: the Pods get the label that is asked for. Their successors will not.
kubectl -n canteen label pod -l app=menu,component=server tier=web --overwrite
