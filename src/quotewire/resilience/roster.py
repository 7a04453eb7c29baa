"""Whose turn it is: the persons of one connection, tried in order until one works (R3). Pure bookkeeping."""


class Roster:
    """Persons in the order to try them, with the current one.

    A *round* tries each person once. A person whose refresh token is spent is left out until `restore`.
    """

    def __init__(self, persons: tuple[str, ...]) -> None:
        self._persons = persons
        self._tried: set[str] = set()
        self._spent: set[str] = set()
        self.current: str | None = persons[0] if persons else None

    def __len__(self) -> int:
        return len(self._persons)

    @property
    def exhausted(self) -> bool:
        """Whether no person is left who could ever work."""
        return all(person in self._spent for person in self._persons)

    def change(self, persons: tuple[str, ...]) -> bool:
        """Take over a new list; True when the current person is no longer on it (the current one is then another)."""
        self._persons = persons
        self._tried &= set(persons)
        self._spent &= set(persons)
        if self.current in persons:
            return False
        self.current = self._first(set())
        return True

    def begin_round(self) -> bool:
        """Start over with the first person who could work, with anybody if none could; True when the person changed."""
        self._tried.clear()
        before, self.current = self.current, self._first(self._spent) or self._first(set())
        return self.current != before

    def next(self) -> str | None:
        """Count the current person as tried and go to the next in this round; None when the round is over."""
        if self.current is not None:
            self._tried.add(self.current)
        candidate = self._first(self._spent | self._tried)
        if candidate is not None:
            self.current = candidate
        return candidate

    def settle(self) -> None:
        """The current person works: the next round may try everybody again."""
        self._tried.clear()

    def choose(self, person: str) -> None:
        """Make a person of the list the current one."""
        self.current = person

    def spend(self, person: str) -> None:
        """This person's refresh token is spent."""
        if person in self._persons:
            self._spent.add(person)

    def restore(self, person: str) -> None:
        """This person has a working token again."""
        self._spent.discard(person)

    def restore_all(self) -> None:
        """Give everybody another chance."""
        self._spent.clear()

    def __contains__(self, person: str) -> bool:
        return person in self._persons

    def _first(self, excluded: set[str]) -> str | None:
        """The first person in order, starting with the current one, who is not excluded."""
        start = self._persons.index(self.current) if self.current in self._persons else 0
        turned = self._persons[start:] + self._persons[:start]
        return next((person for person in turned if person not in excluded), None)
