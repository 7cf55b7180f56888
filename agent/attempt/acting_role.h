// Whose rights a statement is run with.
//
// An agent whose role is no superuser acts for the owners of the tables: it is a member of their roles, and
// runs what changes a table by SET LOCAL ROLE as the table's owner would, so that what is made belongs to
// them. docs/least-privilege.md has the rules.
#ifndef CURLEW_AGENT_ATTEMPT_ACTING_ROLE_H_
#define CURLEW_AGENT_ATTEMPT_ACTING_ROLE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/pg/connection.h"
#include "common/sql/subject.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// Finds the role. A role is SQL: a quoted name, or "" where the session's own role is the one: it is a
// superuser, the owner itself, or no member of the owner (then the statement fails by itself); the tables
// have several owners (it has the rights of all); the owner is a superuser; or the owner's rights would not
// do: no right on the schema that the session's role has, or policies that a table forces on its owner where
// the session's role has BYPASSRLS. A value. Errors of the methods as in common/pg/error.h.
class ActingRoles {
 public:
  // Looks who the session is. It may not have changed its role.
  static absl::StatusOr<ActingRoles> Of(pg::Connection* connection);

  // For one statement of a step that takes `locks`. Statements that name something in schema curlew, which is
  // the agent's own, and those that change no relation and make none, are run as the session's role.
  absl::StatusOr<std::string> ForStatement(pg::Connection* connection, const std::string& statement,
                                           const std::vector<v1::TableLock>& locks) const;
  // For writes to rows of `tables`; names that do not exist are passed over.
  absl::StatusOr<std::string> ForTables(pg::Connection* connection,
                                        const std::vector<std::string>& tables) const;
  // Whom a table that a statement makes in `schema` (not quoted) belongs to: the schema's owner; where that
  // is a superuser or nobody in particular, the owner of the database, or of all tables in the schema.
  // NOT_FOUND where none of them can be acted for, and the session's role is neither: then it becomes the
  // owner itself.
  absl::StatusOr<std::string> OwnerInSchema(pg::Connection* connection, const std::string& schema) const;

  // Whether the session may do anything.
  bool superuser() const { return superuser_; }
  // SQL that takes `role` on, for the transaction; the session's own for "".
  std::string SetLocal(const std::string& role) const;
  // The same for the session.
  std::string Set(const std::string& role) const;
  // `status` as it is, or, for a right that is lacking, with the role that lacks it.
  absl::Status Explain(const absl::Status& status, const std::string& role) const;

 private:
  using Role = std::optional<std::string>;
  // The role of the one owner of `tables` and of all that inherits from them; nothing where there is no such
  // table, or there are several owners, or it cannot be acted for.
  absl::StatusOr<Role> ForOwnerOf(pg::Connection* connection, const std::vector<std::string>& tables,
                                  const std::string& schema) const;
  // The role with that OID; nothing where it may not act in `schema`, or not look at `tables`.
  absl::StatusOr<Role> Usable(pg::Connection* connection, const std::string& oid, const std::string& schema,
                              const std::vector<std::string>& tables) const;
  absl::StatusOr<Role> ForNew(pg::Connection* connection, const sql::Subject& subject,
                              const std::vector<std::string>& others,
                              const std::vector<std::string>& locked) const;

  bool superuser_ = false;
  // quote_ident(current_user), and what the setting "role" says.
  std::string self_;
  std::string initial_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_ATTEMPT_ACTING_ROLE_H_
