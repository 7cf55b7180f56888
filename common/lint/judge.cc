#include "common/lint/judge.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/lint/statements.h"

namespace curlew::lint {
namespace {

bool IsStored(char kind) { return kind == 'r' || kind == 'p'; }

// Whether a SELECT of the table or view waits: every index of a table is locked when it is planned.
bool BlocksReads(const Relation& r, LockMode mode) {
  if (mode != LockMode::kAccessExclusive) return false;
  return IsStored(r.kind) || r.kind == 'm' || r.kind == 'v' || r.kind == 'i';
}

// Whether an INSERT or UPDATE of the table waits, or a number of the sequence.
bool BlocksWrites(const Catalogue& c, const Relation& r, LockMode mode) {
  if (mode < LockMode::kShare) return false;
  if (IsStored(r.kind) || r.kind == 'S') return true;
  if (r.kind != 'i') return false;
  const Relation* table = c.relation(r.index.table);
  return table == nullptr || IsStored(table->kind);
}

// How big a table is, for a person; "" where that is not known.
std::string SizeOf(const Relation& r) {
  if (r.bytes <= 0) return "";
  double size = static_cast<double>(r.bytes);
  const char* const units[] = {"bytes", "kB", "MB", "GB", "TB"};
  int unit = 0;
  for (; size >= 1024 && unit < 4; ++unit) size /= 1024;
  return absl::StrFormat("%.*f %s", unit == 0 || size >= 10 ? 0 : 1, size, units[unit]);
}

class Judging {
 public:
  Judging(Effects* e, Report* report) : e_(*e), report_(*report) {}

  void Run(const absl::Status& status) {
    Collect(status.ok());
    for (const Effects::Cause& cause : e_.causes) Say(cause);
    if (!status.ok()) {
      report_.hazards.push_back({"fails", Severity::kError,
                                 absl::StrCat("PostgreSQL refuses it: ", status.message()), "", "",
                                 e_.text.empty() ? 0 : e_.place});
    }
    report_.hazards.insert(report_.hazards.end(), e_.hazards.begin(), e_.hazards.end());
    if (status.ok()) AskForTimeout();
    std::stable_sort(report_.hazards.begin(), report_.hazards.end(),
                     [](const Hazard& a, const Hazard& b) { return a.severity > b.severity; });
  }

 private:
  void Collect(bool ok) {
    std::map<Oid, LockMode> blocking = e_.session.held, all = e_.session.held;
    const auto merge = [](std::map<Oid, LockMode>* to, const std::map<Oid, LockMode>& from) {
      for (const auto& [oid, mode] : from) {
        LockMode& now = to->try_emplace(oid, mode).first->second;
        now = std::max(now, mode);
      }
    };
    merge(&blocking, e_.locks);
    merge(&all, e_.locks);
    merge(&all, e_.brief);
    for (const auto& [oid, mode] : all) {
      const auto own = e_.names.find(oid);
      const auto held = e_.session.held.find(oid);
      const bool before = held != e_.session.held.end() && held->second == mode;
      report_.locks.push_back({before ? e_.session.names[oid] : own->second, mode, before});
    }
    std::sort(report_.locks.begin(), report_.locks.end(),
              [](const RelationLock& a, const RelationLock& b) { return a.relation < b.relation; });
    for (const auto& [oid, mode] : blocking) {
      const Relation* r = e_.catalogue.relation(oid);
      // What is dropped is locked to the end of the transaction.
      Relation gone;
      if (r == nullptr) {
        const auto kind = e_.session.kinds.find(oid);
        if (kind != e_.session.kinds.end()) gone.kind = kind->second;
        r = &gone;
      }
      if (ok) {
        report_.blocks_reads |= BlocksReads(*r, mode);
        report_.blocks_writes |= BlocksWrites(e_.catalogue, *r, mode);
      } else if (IsStored(r->kind) || r->kind == 'm') {
        // What it locks before it is refused it lets go at once: only tables are worth a word.
        report_.blocks_reads |= mode == LockMode::kAccessExclusive;
        report_.blocks_writes |= mode >= LockMode::kShare;
      }
    }
    report_.blocks_writes |= e_.blocks_rows || e_.blocks_unseen_writes;
    report_.blocks_reads |= e_.blocks_unseen_reads;
    report_.rewrites = e_.rewrites;
    report_.scans = e_.scans;
    report_.transactional = e_.transactional;
  }

  LockMode ModeOf(Oid relation) const {
    LockMode mode = LockMode::kAccessShare;
    for (const auto* locks : {&e_.locks, &e_.session.held}) {
      if (const auto it = locks->find(relation); it != locks->end()) mode = std::max(mode, it->second);
    }
    return mode;
  }

  // Another relation that an earlier statement of the transaction has locked against writers.
  std::string HeldSince(Oid but) const {
    for (const auto& [oid, mode] : e_.session.held) {
      if (mode >= LockMode::kShare && oid != but) {
        const auto name = e_.session.names.find(oid);
        if (name != e_.session.names.end()) return name->second;
      }
    }
    return "";
  }

  void Say(const Effects::Cause& cause) {
    if (!IsLive(e_, cause.relation)) return;
    LockMode mode = ModeOf(cause.relation);
    const bool held =
        e_.session.held.count(cause.relation) > 0 && e_.session.held.at(cause.relation) >= LockMode::kShare;
    const std::string table = e_.Name(cause.relation);
    const std::string size = SizeOf(*e_.catalogue.relation(cause.relation));
    std::string message = cause.reason.why;
    if (!size.empty()) absl::StrAppend(&message, " (", table, " has ", size, ")");
    const std::string other = HeldSince(cause.relation);
    std::string code;
    if (cause.kind == Effects::Cause::kRewrite || mode >= LockMode::kShare) {
      if (cause.kind == Effects::Cause::kRewrite) mode = LockMode::kAccessExclusive;
      code = cause.kind == Effects::Cause::kRewrite                             ? "rewrites-table"
             : cause.kind == Effects::Cause::kBuild && mode == LockMode::kShare ? "blocks-writes"
                                                                                : "scans-under-lock";
      absl::StrAppend(&message, mode == LockMode::kAccessExclusive ? "; nobody reads or writes it meanwhile"
                                                                   : "; nobody writes to it meanwhile");
      if (held) absl::StrAppend(&message, ", since an earlier statement of the transaction");
    } else if (!other.empty()) {
      code = "scans-under-lock";
    } else {
      return;
    }
    if (!other.empty()) absl::StrAppend(&message, ". The transaction still locks ", other, " too");
    for (Hazard& h : report_.hazards) {
      if (h.code == code && h.message == message) return;
    }
    report_.hazards.push_back(
        {code, Severity::kError, message, cause.reason.safe, "", e_.text.empty() ? 0 : cause.reason.place});
  }

  void AskForTimeout() {
    if (e_.session.lock_timeout || e_.session.warned_of_timeout || !e_.transactional) return;
    if (!report_.blocks_reads && !report_.blocks_writes) return;
    const bool strong = std::any_of(e_.locks.begin(), e_.locks.end(), [&](const auto& lock) {
      const Relation* r = e_.catalogue.relation(lock.first);
      return lock.second >= LockMode::kShare && (r == nullptr || IsStored(r->kind));
    });
    if (!strong) return;
    e_.session.warned_of_timeout = true;
    report_.hazards.push_back({"no-lock-timeout", Severity::kNotice,
                               "no lock_timeout is set: while it waits for its lock behind a long "
                               "transaction, everybody else waits behind it",
                               "SET lock_timeout = '500ms';  -- and try again where it fails", "", 0});
  }

  Effects& e_;
  Report& report_;
};

}  // namespace

Report Judge(Effects& e, const absl::Status& status) {
  Report report;
  Judging(&e, &report).Run(status);
  return report;
}

}  // namespace curlew::lint
