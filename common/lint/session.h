// What the statements of one script share. Of this folder alone.
#ifndef CURLEW_COMMON_LINT_SESSION_H_
#define CURLEW_COMMON_LINT_SESSION_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/lint/catalogue.h"
#include "common/lint/lint.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "pg_query.pb.h"

namespace curlew::lint {

using Nodes = google::protobuf::RepeatedPtrField<pg_query::Node>;

// State from one statement to the next.
struct Session {
  Catalogue catalogue;
  Explainer* explainer = nullptr;
  std::vector<std::string> search_path = {"public"};
  std::string time_zone = "unknown";  // "unknown" without a database
  bool in_transaction = false;        // between BEGIN and COMMIT
  bool aborted = false;               // a statement of the transaction has failed
  std::map<Oid, LockMode> held;       // what the open transaction holds
  std::map<Oid, std::string> names;   // of what is held, as they were
  std::map<Oid, char> kinds;  // of what has been locked; an index of a materialised view counts as one
  std::map<Oid, std::string> first_names;          // of what the script has renamed: as the database knows it
  std::set<std::string> new_labels;                // of enums, that the open transaction added
  std::set<Oid> created;                           // relations that the script made: nobody else uses them
  std::set<Oid> written;                           // relations that the script gave rows
  std::map<std::string, pg_query::Node> prepared;  // PREPARE and DECLARE, by name
  bool lock_timeout = false;                       // whether the script sets one
  bool warned_of_timeout = false;                  // whether "no-lock-timeout" was said
  bool changed = false;                            // whether a statement changed the catalogue
  std::set<Oid> constraints_new;                   // constraints that the open transaction made
  int depth = 0;                                   // of functions in functions
};

// Why something takes long, for a person; the SQL without it, "" where there is none; where it stands.
struct Reason {
  std::string why, safe;
  int place = 0;
};

// What one statement does, while it is found out. Methods that look names up end the statement with a status
// where PostgreSQL would.
class Effects {
 public:
  explicit Effects(Session* session) : session(*session), catalogue(session->catalogue) {}

  Session& session;
  Catalogue& catalogue;

  // Takes a lock until the end of the transaction. Nothing for relations of the script itself.
  void Lock(Oid relation, LockMode mode);
  // The same for several.
  void Lock(const std::vector<Oid>& relations, LockMode mode);
  // Takes a lock for an instant, when nobody can wait for it any more or long: it counts as a lock, but
  // blocks nobody.
  void LockBriefly(Oid relation, LockMode mode);
  // Takes a lock on every index of a table, as whoever plans a query over it does.
  void LockIndexes(Oid table, LockMode mode);

  // The whole table is read. Nothing where it has no rows. `why` is the reason, for a person; `safe` SQL
  // without it.
  void Scan(Oid table, std::string why, std::string safe = "") { Scan(table, Reason{why, safe, place}); }
  void Scan(Oid table, Reason reason);
  // An index is built, which reads its table.
  void BuildIndex(Oid table, std::string why, std::string safe = "") {
    BuildIndex(table, Reason{why, safe, place});
  }
  void BuildIndex(Oid table, Reason reason);
  // The table is written anew, and with it its indexes. `reads` says whether its rows are read for it.
  void Rewrite(Oid table, std::string why, std::string safe = "", bool reads = true) {
    Rewrite(table, Reason{why, safe, place}, reads);
  }
  void Rewrite(Oid table, Reason reason, bool reads);

  // Something to know beside locks.
  void Warn(std::string code, Severity severity, std::string message, std::string safe = "");

  // The status that ends a statement as PostgreSQL would: "SQLSTATE: message".
  static absl::Status Fail(absl::string_view sqlstate, absl::string_view message);

  bool IsNew(Oid relation) const { return session.created.count(relation) > 0; }
  // Renames a relation; reports go on to call it by its first name.
  void Rename(Relation& relation, std::string schema, std::string name);
  // As lint prints it: without public.
  std::string Name(Oid relation) const;
  std::string QuotedName(const Relation& relation) const;

  // A cause of waiting, kept until the locks are known.
  struct Cause {
    enum Kind { kScan, kBuild, kRewrite } kind;
    Oid relation;
    Reason reason;
  };

  // The text that the tree's places are in; "" within functions, where they mean another text.
  absl::string_view text;
  // The byte of it that is being looked at.
  int place = 0;

  std::map<Oid, LockMode> locks;  // what this statement takes
  std::map<Oid, LockMode> brief;  // the part of it that blocks nobody
  std::map<Oid, std::string> names;
  std::vector<Cause> causes;
  std::vector<Hazard> hazards;
  bool transactional = true;
  // What the statement does to tables that are not known here, of a whole schema or of a domain.
  bool blocks_unseen_reads = false, blocks_unseen_writes = false;
  bool blocks_rows = false;  // whether it locks all rows of a table against foreign keys
  bool scans = false, rewrites = false;
};

// --- Looking names up. ---

// How a name that is not there is taken where the catalogue is not complete.
enum class Assume { kTable, kView, kIndex, kSequence, kMaterializedView, kNothing };

// The kind that a statement about `type` is for.
Assume AssumedKind(pg_query::ObjectType type);

// The relation of a name; null where there is none.
Relation* FindRelation(Effects& e, absl::string_view schema, absl::string_view name,
                       Assume assume = Assume::kTable);
Relation* FindRelation(Effects& e, const pg_query::RangeVar& name, Assume assume = Assume::kTable);
// The parts of a name in a list of String nodes: schema ("" where none stands there) and name.
std::pair<std::string, std::string> NameParts(const Nodes& names);
Relation* FindRelation(Effects& e, const Nodes& names, Assume assume = Assume::kTable);
// The same, or the status of a missing relation (42P01).
absl::StatusOr<Relation*> NeedRelation(Effects& e, const pg_query::RangeVar& name,
                                       Assume assume = Assume::kTable);

// The schema that a new object goes into.
std::string CreationSchema(const Session& session, absl::string_view schema);
// An object's own OID by its name along the search path: statistics, extensions...
Oid FindNamed(const Session& session, const std::map<Oid, Named>& named, const Nodes& names);

// A type and its modifier.
struct TypeUse {
  Oid type = 0;  // 0 where it is not known
  int typmod = -1;
  bool serial = false;
};
TypeUse ResolveType(const Effects& e, const pg_query::TypeName& name);

// A function by its name and the number of its arguments; null where it is not known or not one alone with
// differing volatility.
const Function* FindFunction(const Session& session, const Nodes& names, int arguments);

// The strings of a list of String nodes.
std::vector<std::string> Strings(const Nodes& nodes);
// What a plain constant holds: text of a string or number; "" where it is none.
std::string ConstantText(const pg_query::Node& node);
// Whether an option is on: it is where it has no value.
bool OptionIsOn(const pg_query::DefElem& option);
bool HasOption(const Nodes& options, absl::string_view name);  // is given, and on

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_SESSION_H_
