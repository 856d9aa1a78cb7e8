"""What the tables share: names of constraints, and columns that many have."""

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Identity, MetaData, func

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


def identity() -> Column[int]:
    """The id that the database counts."""
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def moment(name: str, *, nullable: bool = False) -> Column[object]:
    """A moment; one that is not nullable is that of the row."""
    default = None if nullable else func.now()
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default)


def reference(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    """What refers to a row: it goes with that, or is set free where it is nullable."""
    on_delete = "SET NULL" if nullable else "CASCADE"
    return Column(name, ForeignKey(target, ondelete=on_delete), nullable=nullable)
