#include "common/lint/hazards.h"

#include <algorithm>
#include <array>

namespace curlew::lint {
namespace {

constexpr std::array kHazards = {
    HazardInfo{
        "rewrites-table", Severity::kError, "Writes a whole table anew while nobody can use it",
        "PostgreSQL copies every row into a new file under AccessExclusiveLock, and builds every index "
        "again. "
        "Reads and writes wait for as long as that takes. Add a new column, keep both in step, fill it in "
        "batches, and switch over."},
    HazardInfo{
        "scans-under-lock", Severity::kError, "Reads a whole table under a lock that stops others",
        "PostgreSQL looks at every row while it holds a lock that writers, or all, wait for. Add constraints "
        "NOT VALID and VALIDATE them in a transaction of their own; prove NOT NULL by such a CHECK first; "
        "build unique indexes concurrently and attach them."},
    HazardInfo{"blocks-writes", Severity::kError, "Stops writers while it works",
               "A lock as strong as ShareLock is held for longer than a moment: INSERT, UPDATE and DELETE "
               "wait. Indexes "
               "have a CONCURRENTLY for that; other work can mostly be split into a short and a long part."},
    HazardInfo{"unbatched-data", Severity::kWarning, "Writes many rows in one transaction",
               "Each row stays locked until the transaction ends, replicas fall behind, and old row versions "
               "pile up. "
               "Write in batches of some thousand rows, each with its own commit."},
    HazardInfo{
        "breaks-applications", Severity::kWarning, "Takes away something that running applications may use",
        "A column, table, type or right goes or gets another name, or rows are refused that were right. "
        "Applications that run meanwhile fail. Deploy the ones that no longer need it first; or keep both "
        "shapes in step with a plan."},
    HazardInfo{
        "unknown-effect", Severity::kWarning, "Its effect cannot be told from the statement",
        "It calls code that lint cannot see, or depends on what only the database knows. Give --database, or "
        "read it yourself and allow it with a reason."},
    HazardInfo{"fails", Severity::kError, "PostgreSQL refuses it",
               "The statement does not run: because of what an earlier one did, of the transaction it stands "
               "in, or of "
               "what the database holds."},
    HazardInfo{"no-lock-timeout", Severity::kNotice,
               "Waits for its lock without end, with all others behind it",
               "While DDL waits for a lock that a long transaction holds, everybody who comes later waits "
               "behind it. Set "
               "lock_timeout to some hundred milliseconds and try again until it succeeds."},
    HazardInfo{kSyntaxError, Severity::kError, "Cannot be read as SQL",
               "The statement does not parse by PostgreSQL 15's grammar, or is too long to be read. It is "
               "not judged; "
               "all other statements of the file are."},
    HazardInfo{kPsqlCommand, Severity::kError, "A command or variable of psql, no SQL",
               "What psql does there is not known to lint: give the files that it includes to lint as well, "
               "write the "
               "values of variables. Commands that do nothing to a database are a warning only."},
    HazardInfo{
        kEncoding, Severity::kError, "The file is not in UTF-8",
        "It has been read as well as can be, as UTF-16 or Latin-1; names may be wrong. Save it as UTF-8."},
    HazardInfo{kInvalidPlan, Severity::kError, "The plan is not valid",
               "The file is a plan in YAML and would be refused. curlew plan validate says the same."},
    HazardInfo{
        kAllowWithoutReason, Severity::kWarning, "curlew:allow gives no reason",
        "Who reads the file later has to know why: -- curlew:allow HAZARD REASON. Without one nothing is "
        "allowed."},
    HazardInfo{kAllowUnknown, Severity::kWarning, "curlew:allow names a hazard that there is not",
               "Names are those of this list, separated by commas."},
    HazardInfo{kAllowUnused, Severity::kWarning, "curlew:allow allows what does not occur",
               "The statement has no such hazard (any more). Take the comment out, so that it allows nothing "
               "later."},
};

}  // namespace

std::span<const HazardInfo> HazardInfos() { return kHazards; }

const HazardInfo* FindHazard(absl::string_view code) {
  const auto found =
      std::find_if(kHazards.begin(), kHazards.end(), [&](const HazardInfo& h) { return h.code == code; });
  return found == kHazards.end() ? nullptr : &*found;
}

}  // namespace curlew::lint
