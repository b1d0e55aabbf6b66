# Whatever was written for the house's namespaces goes, also what the learner added: it belongs to no namespace.
kubectl get clusternetworkpolicies -o jsonpath='{range .items[*]}{.metadata.name}{" "}{.spec}{"\n"}{end}' 2>/dev/null |
  grep -e '^gazette-' -e '"gazette' | cut -d' ' -f1 | xargs -r kubectl delete clusternetworkpolicy >/dev/null
