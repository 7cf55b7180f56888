#include "absl/strings/str_cat.h"
#include "agent/preflight/looks.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// Triggers that call the function, and whether it is there.
constexpr char kFunction[] = R"sql(
SELECT p.oid::regprocedure::text,
  (SELECT string_agg(format('%I on %s', t.tgname, t.tgrelid::regclass), ', ') FROM pg_trigger t
   WHERE t.tgfoid = p.oid AND NOT t.tgisinternal)
FROM pg_proc p WHERE p.oid = to_regprocedure($1 || '()')
)sql";

constexpr char kTriggers[] = R"sql(
SELECT quote_ident(t.tgname) FROM pg_trigger t
WHERE t.tgrelid = to_regclass($1) AND t.tgname = ANY ($2::text[]) AND NOT t.tgisinternal ORDER BY 1
)sql";

}  // namespace

absl::Status LookAtNames(const Look& look, Findings* findings) {
  for (const v1::Step& step : look.plan.steps()) {
    if (!step.action().has_install_trigger()) continue;
    const v1::InstallTrigger& install = step.action().install_trigger();
    ASSIGN_OR_RETURN(const pg::Result function, look.connection->Execute(kFunction, {install.function()}));
    if (!function.empty() && !function.IsNull(0, 1)) {
      findings->Error(
          absl::StrCat("function ", function.Text(0, 0), ", which step ", step.key(),
                       " makes, is there already, and triggers call it: ", function.Text(0, 1)),
          "another rollout of these operations has not ended, or was left half-way: end it, or drop "
          "the triggers and the function",
          install.table());
      continue;
    }
    if (!function.empty()) {
      findings->Warning(
          absl::StrCat("function ", function.Text(0, 0), ", which step ", step.key(),
                       " makes, is there already; no trigger calls it, and it will be replaced"),
          absl::StrCat("where nobody needs it: DROP FUNCTION ", function.Text(0, 0)), install.table());
    }
    ASSIGN_OR_RETURN(
        const pg::Result triggers,
        look.connection->Execute(kTriggers, {install.table(), pg::ArrayParam({install.triggers().begin(),
                                                                              install.triggers().end()})}));
    for (int64_t i = 0; i < triggers.size(); ++i) {
      findings->Error(
          absl::StrCat("trigger ", triggers.Text(i, 0), " on ", install.table(), ", which step ", step.key(),
                       " makes, is there already"),
          absl::StrCat("where nobody needs it: DROP TRIGGER ", triggers.Text(i, 0), " ON ", install.table()),
          install.table());
    }
  }
  return absl::OkStatus();
}

}  // namespace curlew::agent
