# fails: the branch gets an answer
# In accounts the short name works, so the branch moves there. But it was to stay where it is, and there is nobody now.
kubectl -n accounts create deployment branch --image registry.k8s.io/e2e-test-images/agnhost:2.53 -- /agnhost pause
kubectl -n branch delete deployment branch
