#include "common/lint/deletion.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace curlew::lint {
namespace {

enum Flag { kOriginal = 1, kNormal = 2, kAuto = 4, kInternal = 8, kPartition = 16, kExtension = 32 };

// One deletion: first everything is found and locked, then it goes.
class Deletion {
 public:
  explicit Deletion(Effects* e) : e_(*e), c_(e->catalogue) {}

  absl::Status Run(const std::vector<Address>& objects, Behaviour behaviour) {
    originals_ = objects;
    for (const Address& object : objects) Acquire(object);
    for (const Address& object : objects) {
      stack_.clear();
      RETURN_IF_ERROR(Find(object, kOriginal));
    }
    RETURN_IF_ERROR(CheckNothingElseNeedsThem(behaviour));
    for (const auto& [object, flags] : targets_) Remove(object);
    Forget();
    return absl::OkStatus();
  }

 private:
  void Acquire(const Address& object) {
    if (object.catalogue == kPgClass) e_.Lock(object.id, LockMode::kAccessExclusive);
  }

  // Whether the object is being looked at further up; it then gets the flags too.
  bool OnStack(const Address& object, int flags) {
    for (auto& [s, own] : stack_) {
      if (s.catalogue != object.catalogue || s.id != object.id || (s.sub != 0 && s.sub != object.sub))
        continue;
      if (s.sub == object.sub) own |= flags;
      return true;
    }
    return false;
  }

  // Adds flags to what is found already, also where a whole relation stands for its column.
  bool Found(const Address& object, int flags) {
    if (const auto it = targets_.find(object); it != targets_.end()) {
      it->second |= flags;
      return true;
    }
    if (object.sub == 0) return false;
    return targets_.count({object.catalogue, object.id, 0}) > 0;
  }

  absl::Status Find(const Address& object, int flags) {
    if (OnStack(object, flags) || Found(object, flags)) return absl::OkStatus();
    stack_.emplace_back(object, flags);
    const absl::Status status = FindBelow(object, flags);
    targets_[object] |= stack_.back().second;
    stack_.pop_back();
    return status;
  }

  absl::Status FindBelow(const Address& object, int flags) {
    Address owner_of_part;
    const std::vector<Dependency>& dependencies = c_.dependencies;
    for (const Dependency& d : dependencies) {
      if (d.object.catalogue != object.catalogue || d.object.id != object.id) continue;
      if (object.sub != 0 && d.object.sub != object.sub) continue;
      if (d.kind == 'P' || (d.kind == 'S' && owner_of_part.id == 0)) owner_of_part = d.referenced;
      if (d.kind != 'i' && d.kind != 'e') continue;
      if (OnStack(d.referenced, 0) || Found(d.referenced, 0)) continue;
      if (stack_.size() == 1) {
        if (std::count(originals_.begin(), originals_.end(), d.referenced) > 0) continue;
        return e_.Fail("2BP01", absl::StrCat("cannot drop ", Describe(e_, object), " because ",
                                             Describe(e_, d.referenced), " requires it"));
      }
      // What it belongs to goes as a whole, and the object with it.
      Acquire(d.referenced);
      RETURN_IF_ERROR(Find(d.referenced, flags & ~kOriginal));
    }
    if (owner_of_part.id != 0) parts_.push_back({object, owner_of_part});
    std::vector<std::pair<Address, int>> dependents;
    for (const Dependency& d : dependencies) {
      if (d.referenced.catalogue != object.catalogue || d.referenced.id != object.id) continue;
      if (object.sub != 0 && d.referenced.sub != object.sub) continue;
      if (d.object.catalogue == object.catalogue && d.object.id == object.id && object.sub == 0) continue;
      Acquire(d.object);
      dependents.push_back({d.object, FlagOf(d.kind)});
    }
    for (const auto& [dependent, flag] : dependents) RETURN_IF_ERROR(Find(dependent, flag));
    return absl::OkStatus();
  }

  static int FlagOf(char kind) {
    switch (kind) {
      case 'n':
        return kNormal;
      case 'i':
        return kInternal;
      case 'P':
      case 'S':
        return kPartition;
      case 'e':
        return kExtension;
      default:
        return kAuto;
    }
  }

  absl::Status CheckNothingElseNeedsThem(Behaviour behaviour) {
    for (const auto& [object, owner] : parts_) {
      const int flags = targets_[object];
      if ((flags & kPartition) != 0 || targets_.count(owner) > 0) continue;
      if ((flags & kOriginal) == 0 && behaviour == Behaviour::kCascade) continue;
      return e_.Fail("2BP01", absl::StrCat("cannot drop ", Describe(e_, object), " because ",
                                           Describe(e_, owner), " requires it"));
    }
    if (behaviour == Behaviour::kCascade) return absl::OkStatus();
    for (const auto& [object, flags] : targets_) {
      if ((flags & (kOriginal | kAuto | kInternal | kPartition | kExtension)) != 0) continue;
      if (object.sub != 0 && targets_.count({object.catalogue, object.id, 0}) > 0) continue;
      return e_.Fail("2BP01", absl::StrCat("cannot drop ", Describe(e_, originals_[0]), " because ",
                                           Describe(e_, object), " depends on it"));
    }
    return absl::OkStatus();
  }

  // The locks of the function that removes an object of this kind.
  void Remove(const Address& object) {
    switch (object.catalogue) {
      case kPgClass:
        if (const Relation* r = c_.relation(object.id); r != nullptr && object.sub == 0) {
          if (r->IsIndex()) e_.Lock(r->index.table, LockMode::kAccessExclusive);
          if (r->partition && !r->IsIndex()) {
            for (Oid parent : c_.Parents(r->oid)) {
              e_.Lock(parent, LockMode::kAccessExclusive);
              if (const auto d = c_.default_partition.find(parent); d != c_.default_partition.end())
                e_.Lock(d->second, LockMode::kAccessExclusive);
            }
          }
        }
        e_.Lock(object.id, LockMode::kAccessExclusive);
        break;
      case kPgConstraint:
        if (const auto it = c_.constraints.find(object.id); it != c_.constraints.end())
          e_.Lock(it->second.table, LockMode::kAccessExclusive);
        break;
      case kPgTrigger:
        if (const auto it = c_.triggers.find(object.id); it != c_.triggers.end())
          e_.Lock(it->second.table, LockMode::kAccessExclusive);
        break;
      case kPgRewrite:
        if (const auto it = c_.rules.find(object.id); it != c_.rules.end())
          e_.Lock(it->second.table, LockMode::kAccessExclusive);
        break;
      case kPgPolicy:
        if (const auto it = c_.policies.find(object.id); it != c_.policies.end())
          e_.Lock(it->second.table, LockMode::kAccessExclusive);
        break;
      case kPgAttrdef:
        for (const Dependency& d : c_.dependencies) {
          if (d.object == object && d.kind != 'n' && d.referenced.catalogue == kPgClass)
            e_.Lock(d.referenced.id, LockMode::kAccessExclusive);
        }
        break;
      case kPgStatisticExt:
        if (const auto it = c_.statistics.find(object.id); it != c_.statistics.end())
          e_.Lock(it->second.relation, LockMode::kShareUpdateExclusive);
        break;
      default:
        break;
    }
  }

  void Forget() {
    for (const auto& [object, flags] : targets_) {
      switch (object.catalogue) {
        case kPgClass:
          if (object.sub == 0) {
            c_.RemoveRelation(object.id);
          } else if (Relation* r = c_.relation(object.id); r != nullptr) {
            std::erase_if(r->columns, [n = object.sub](const Column& col) { return col.number == n; });
          }
          break;
        case kPgConstraint:
          c_.constraints.erase(object.id);
          break;
        case kPgTrigger:
          c_.triggers.erase(object.id);
          break;
        case kPgRewrite:
          c_.rules.erase(object.id);
          break;
        case kPgPolicy:
          c_.policies.erase(object.id);
          break;
        case kPgStatisticExt:
          c_.statistics.erase(object.id);
          break;
        case kPgType:
          c_.RemoveType(object.id);
          break;
        case kPgExtension:
          c_.extensions.erase(object.id);
          break;
        case kPgNamespace:
          c_.schemas.erase(object.id);
          break;
        case kPgPublication:
          c_.publications.erase(object.id);
          break;
        default:
          break;
      }
    }
    std::erase_if(c_.dependencies,
                  [this](const Dependency& d) { return Gone(d.object) || Gone(d.referenced); });
  }

  bool Gone(const Address& object) const {
    return targets_.count(object) > 0 || targets_.count({object.catalogue, object.id, 0}) > 0;
  }

  Effects& e_;
  Catalogue& c_;
  std::vector<Address> originals_;
  std::vector<std::pair<Address, int>> stack_;
  std::map<Address, int> targets_;
  std::vector<std::pair<Address, Address>> parts_;
};

}  // namespace

absl::Status Delete(Effects& e, const std::vector<Address>& objects, Behaviour behaviour) {
  if (objects.empty()) return absl::OkStatus();
  return Deletion(&e).Run(objects, behaviour);
}

std::string Describe(const Effects& e, const Address& object) {
  const Catalogue& c = e.catalogue;
  if (object.catalogue == kPgClass) {
    const Relation* r = c.relation(object.id);
    if (r == nullptr) return "a relation";
    if (object.sub != 0) {
      const Column* column = r->ByNumber(object.sub);
      return absl::StrCat("column ", column == nullptr ? "?" : column->name, " of table ", e.QuotedName(*r));
    }
    const char* kind = r->IsIndex()     ? "index "
                       : r->kind == 'v' ? "view "
                       : r->kind == 'm' ? "materialized view "
                       : r->kind == 'S' ? "sequence "
                                        : "table ";
    return absl::StrCat(kind, e.QuotedName(*r));
  }
  if (object.catalogue == kPgConstraint) {
    const auto it = c.constraints.find(object.id);
    if (it != c.constraints.end())
      return absl::StrCat("constraint ", it->second.name, " on table ", e.Name(it->second.table));
  }
  if (object.catalogue == kPgTrigger) {
    const auto it = c.triggers.find(object.id);
    if (it != c.triggers.end())
      return absl::StrCat("trigger ", it->second.name, " on table ", e.Name(it->second.table));
  }
  if (object.catalogue == kPgRewrite) {
    const auto it = c.rules.find(object.id);
    if (it != c.rules.end()) return absl::StrCat("view or rule of ", e.Name(it->second.table));
  }
  if (object.catalogue == kPgType) {
    const Type* t = c.type(object.id);
    if (t != nullptr) return absl::StrCat("type ", t->name);
  }
  if (object.catalogue == kPgProc) {
    const auto it = c.functions->find(object.id);
    if (it != c.functions->end()) return absl::StrCat("function ", it->second.name);
  }
  if (object.catalogue == kPgExtension) {
    const auto it = c.extensions.find(object.id);
    if (it != c.extensions.end()) return absl::StrCat("extension ", it->second.name);
  }
  return "another object";
}

}  // namespace curlew::lint
