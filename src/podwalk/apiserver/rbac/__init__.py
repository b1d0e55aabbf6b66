"""Who may do what: Roles, bindings, impersonation (plugin/pkg/auth/authorizer/rbac of kube-apiserver)."""
