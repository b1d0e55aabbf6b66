# also right: the whole name, and no search list is needed any more.
kubectl -n branch set env deployment/branch LEDGER_URL=http://ledger.accounts.svc.cluster.local
kubectl -n branch rollout status deployment branch --timeout 120s
