import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gpus", "0003_slots_in_pools")]

    operations = [
        migrations.AlterField(
            model_name="slot",
            name="pool",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="slots", to="gpus.pool"),
        ),
    ]
